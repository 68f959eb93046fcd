"""Contrastive objective: the source of its samples, and its replay."""

import pytest
import torch
from objective_inputs import objective_input

from rlpriors.agents import DiffusionIRL
from rlpriors.agents.irl.objectives import ContrastiveSettings, ObjectiveInput
from rlpriors.agents.irl.objectives.negatives import guided_samples
from rlpriors.diffusion import PlannerSettings
from rlpriors.types import Window


def an_update(algorithm: DiffusionIRL, obs: torch.Tensor) -> ObjectiveInput:
    """Create the input of an update with demonstrations that rest in `obs`."""
    rest = obs[:, None].repeat(1, algorithm.policy.layout.horizon, 1)
    inside = torch.ones(rest.shape[:2], dtype=torch.bool)
    window = Window(rest, torch.zeros_like(rest), inside, ~inside)
    return objective_input(algorithm, window)


def test_the_replay_is_a_ring(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, objective=ContrastiveSettings(replay_size=20))
    train(algorithm, data, 2, batch_size=8)
    assert int(algorithm.objectives[0].replayed) == 16
    assert bool((algorithm.objectives[0].replay[:16].abs().sum((1, 2)) > 0).all())
    assert bool((algorithm.objectives[0].replay[16:] == 0).all())
    kept = algorithm.objectives[0].replay.clone()
    train(algorithm, data, 1, batch_size=8)
    assert int(algorithm.objectives[0].replayed) == 24
    same = (algorithm.objectives[0].replay == kept).all(dim=2).all(dim=1).tolist()
    assert same == [False] * 4 + [True] * 12 + [False] * 4  # new ones took the empty and the oldest places


def test_a_batch_larger_than_the_replay(walks, make_algorithm, train) -> None:
    data = walks()
    algorithm = make_algorithm(DiffusionIRL, data, objective=ContrastiveSettings(replay_size=3))
    train(algorithm, data, 2, batch_size=8)
    assert int(algorithm.objectives[0].replayed) == 6


@pytest.mark.parametrize(("fraction", "n_old"), [(0.0, 0), (0.25, 2), (1.0, 8)])
def test_part_of_a_batch_comes_from_the_replay(walks, make_algorithm, train, fraction, n_old) -> None:
    data = walks()
    settings = ContrastiveSettings(replay_fraction=fraction, replay_size=16)
    algorithm = make_algorithm(DiffusionIRL, data, objective=settings)
    train(algorithm, data, 1, batch_size=8)
    old, new = algorithm.objectives[0].replay[:8].clone(), torch.full((8, 8, 4), 7.0)
    mixed = algorithm.objectives[0]._with_replay(new, torch.Generator().manual_seed(0))
    assert [bool((row == 7).all()) for row in mixed] == [False] * n_old + [True] * (8 - n_old)
    assert all(any(torch.equal(row, past) for past in old) for row in mixed[:n_old])
    assert bool((algorithm.objectives[0].replay[8:] == 7).all())


def test_samples_begin_where_demonstrations_do_and_take_one_candidate(
    walks, make_algorithm, make_policy, train
) -> None:
    data = walks()
    planner = PlannerSettings(n_candidates=9, n_steps=2, likelihood_weight=1.0, warm_start=0.5)
    policy = make_policy(data, planner=planner)
    algorithm = make_algorithm(DiffusionIRL, data, policy=policy)
    rows, forward = [], policy.denoiser.forward
    policy.denoiser.forward = lambda x, t: rows.append(len(x)) or forward(x, t)
    train(algorithm, data, 1, batch_size=8)
    assert rows == [8, 8]
    obs = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    sampled = guided_samples(an_update(algorithm, obs))
    torch.testing.assert_close(policy.layout.unpack(sampled)[0][:, 0], obs, atol=1e-6, rtol=0)


def test_samples_are_guided_by_the_average(walks, make_algorithm) -> None:
    algorithm = make_algorithm(DiffusionIRL, walks())

    def sampled() -> torch.Tensor:
        return guided_samples(an_update(algorithm, torch.zeros(3, 2)))

    before = sampled()
    with torch.no_grad():
        algorithm.online.net[0].weight.mul_(10)
    assert torch.equal(sampled(), before)
    with torch.no_grad():
        algorithm.reward.net[0].weight.mul_(10)
    assert not torch.equal(sampled(), before)


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("replay_size", 0, r"`replay_size` must be at least 1\. Received 0"),
        ("replay_fraction", 1.5, r"`replay_fraction` must be in \[0, 1\]\. Received 1\.5"),
    ],
)
def test_bad_settings(field: str, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContrastiveSettings(**{field: bad})
