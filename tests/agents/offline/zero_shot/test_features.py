"""Losses and directions of the features, by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from rlpriors.agents.offline.zero_shot.base import FeatureUpdate, TaskFeatures
from rlpriors.agents.offline.zero_shot.forward_backward import BackwardFeatures
from rlpriors.agents.offline.zero_shot.hilp import HilbertFeatures
from rlpriors.agents.offline.zero_shot.latent_prediction import OneStepFeatures, TDJEPAFeatures
from rlpriors.agents.offline.zero_shot.networks import SuccessorTwins, orthogonality, to_sphere
from rlpriors.agents.offline.zero_shot.policy import FEATURES
from rlpriors.agents.offline.zero_shot.samples import GoalBatch
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

SMALL = {"dim": 2, "hidden": (8,), "gamma": 0.98, "expectile": 0.95}


def make(kind: type[TaskFeatures], **changes) -> TaskFeatures:
    torch.manual_seed(0)
    return kind(2, (0, 1), 1, ZeroShotSettings(**(SMALL | changes)))


def constant(features: TaskFeatures, bias: list[float]) -> TaskFeatures:
    """The features whose encoder puts out `bias` for every observation."""
    last = features.encoder[-1][-1]
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor(bias)
    return features


def update(features: TaskFeatures, n: int = 1, **flags) -> FeatureUpdate:
    x = torch.arange(2.0 * n).reshape(n, 2)
    marks = {name: torch.full((n,), flags.get(name, False)) for name in ("terminated", "at_goal", "reached")}
    batch = GoalBatch(x, torch.zeros(n, 1), x + 1, goal=x + 2, other=x + 3, **marks)
    discount = torch.full((n, 1), flags.get("discount", 0.5))
    return FeatureUpdate(batch, to_sphere(torch.ones(n, 2)), torch.zeros(n, 1), discount, features)


def test_vectors_on_the_sphere_and_their_orthogonality() -> None:
    torch.testing.assert_close(to_sphere(torch.tensor([3.0, 4.0])), math.sqrt(2) * torch.tensor([0.6, 0.8]))
    assert to_sphere(torch.zeros(3)).tolist() == [0, 0, 0]
    orthogonal = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert orthogonality(orthogonal).item() == -1.0
    assert orthogonality(torch.ones(2, 2)).item() == 0.5 * 4 - 2


def test_the_lower_of_the_twins_is_chosen_row_by_row() -> None:
    twins = SuccessorTwins(1, 2, 1, 2, (4,))
    outputs = [[1.0, 0.0], [0.0, 3.0]]
    for net, bias in zip(twins.nets, outputs, strict=True):
        nn.init.zeros_(net[-1][-1].weight)
        net[-1][-1].bias.data = torch.tensor(bias)
    skills = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # values (1, 0) and (0, 3)
    lower = twins.lower(torch.zeros(2, 1), skills, torch.zeros(2, 1))
    assert lower.tolist() == [[0.0, 3.0], [1.0, 0.0]]


# ---------------------------------------------------------------- HILP


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 0.05 * (-1 - 0.98 * 0.001 + 0.001) ** 2),
        ({"reached": True}, 0.05 * (-1 + 0.001) ** 2),
        ({"reached": True, "terminated": True}, 0.05 * (-1 + 0.001) ** 2),
        ({"terminated": True}, 0.05 * (-1 - 0.98 / 0.02 + 0.001) ** 2),
        ({"at_goal": True}, 0.95 * 0.001**2),
    ],
)
def test_the_loss_of_equal_features(flags, expected: float) -> None:
    features = constant(make(HilbertFeatures), [1.0, 2.0])  # every distance is the root's floor of 0.001
    assert features.loss(update(features, **flags)).item() == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_direction_to_the_goal_itself_is_zero() -> None:
    features = make(HilbertFeatures)
    here = torch.tensor([[0.5, -1.0]])
    assert features.directions(here, here).tolist() == [[0.0, 0.0]]
    there = features.directions(here + 1, here)
    assert there.norm().item() == pytest.approx(math.sqrt(2))
    torch.testing.assert_close(there, to_sphere(features.task(here + 1) - features.task(here)))
    assert not torch.equal(features.directions(here, None), torch.zeros(1, 2))


def test_successor_features_sum_differences_of_hilp_and_features_of_others() -> None:
    for kind in (HilbertFeatures, OneStepFeatures):
        features = make(kind)
        now = update(features, n=3)
        upcoming = torch.ones(3, 2)
        goal = features.task(now.batch.obs_next) + 0.5
        if kind is HilbertFeatures:
            goal = goal - features.task(now.batch.obs)
        exact = features.successor_loss(goal.expand(2, -1, -1), upcoming, now)
        off = features.successor_loss((goal + 1).expand(2, -1, -1), upcoming, now)
        assert (exact.item(), off.item()) == (pytest.approx(0, abs=1e-9), pytest.approx(2.0))


# ---------------------------------------------------------------- the others


def test_the_loss_of_the_density_by_hand() -> None:
    features = constant(make(BackwardFeatures, orthogonality=0.0), [1.0, 0.0])  # B = (sqrt 2, 0)
    now = update(features, n=2, discount=0.0)
    p = 3.0
    predicted = torch.full((2, 2, 2), p)  # both networks, both rows
    expected = 2 * (0.5 * 2 * p**2 - math.sqrt(2) * p)
    assert features.successor_loss(predicted, torch.zeros(2, 2), now).item() == pytest.approx(expected)
    # The density after the step is part of the target: F equal to it leaves no error between rows.
    now = update(features, n=2, discount=0.5)
    loss = features.successor_loss(predicted, 2 * torch.full((2, 2), p), now).item()
    assert loss == pytest.approx(-2 * math.sqrt(2) * p)


def test_the_loss_of_one_step_prediction() -> None:
    features = constant(make(OneStepFeatures, orthogonality=0.0), [1.0, 0.0])
    last = features.predictor[-1][-1]
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([0.0, 5.0])  # predicts (0, sqrt 2) where (sqrt 2, 0) comes
    assert features.loss(update(features, n=4)).item() == pytest.approx(4.0)
    last.bias.data = torch.tensor([2.0, 0.0])
    assert features.loss(update(features, n=4)).item() == pytest.approx(0.0, abs=1e-9)


def test_td_jepa_trains_its_encoders() -> None:
    shared, apart = make(TDJEPAFeatures), make(TDJEPAFeatures, share_encoders=False)
    obs = torch.randn(3, 2)
    assert torch.equal(shared.state(obs), shared.task(obs))
    assert not torch.equal(apart.state(obs), apart.task(obs))
    apart.loss(update(apart, n=3)).backward()
    trained = {name.split(".")[0] for name, p in apart.named_parameters() if p.grad is not None}
    assert trained == {"encoder", "state_encoder", "mirror"}
    # The mirrored prediction: its target is the state plus the discounted future.
    now = update(make(TDJEPAFeatures, share_encoders=False, orthogonality=0.0), n=3, discount=0.0)
    for net in now.target.mirror.nets:
        nn.init.zeros_(net[-1][-1].weight)
        nn.init.zeros_(net[-1][-1].bias)
    assert now.target.loss(now).item() == pytest.approx(2 * 2 / 2)  # two networks, mean square 1


@pytest.mark.parametrize("name", FEATURES)
def test_skills_of_goals_lie_on_the_sphere(name) -> None:
    features = make(FEATURES[name])
    obs = torch.randn(64, 2)
    features.track(obs, first=True)
    skills = features.directions(obs[:5], obs[5:10])
    torch.testing.assert_close(skills.norm(dim=1), torch.full((5,), math.sqrt(2)))


def test_tasks_read_only_their_entries() -> None:
    features = HilbertFeatures(3, (0, 2), 1, ZeroShotSettings(**SMALL))
    obs = torch.tensor([[1.0, 5.0, 2.0]])
    other = torch.tensor([[1.0, -9.0, 2.0]])
    assert torch.equal(features.task(obs), features.task(other))


def test_running_moments_start_at_the_first_batch() -> None:
    features = make(FEATURES["identity"])
    obs: Tensor = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    features.track(obs, first=True)
    assert features.mean.tolist() == [2.0, 0.0]
    assert features.second_moment.tolist() == [[5.0, 0.0], [0.0, 0.0]]
    features.track(-obs, first=False)
    assert features.mean[0].item() == pytest.approx(2.0 - 0.01 * 4)
