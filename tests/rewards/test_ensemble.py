"""EnsembleReward: mean and spread by hand, gradients where members agree, and what it refuses."""

import math

import pytest
import torch

from rlpriors.rewards import EnsembleReward, MLPReward, RewardModel, RewardSettings, load_reward


def slope(value: float, **settings) -> RewardModel:
    """r(s) = value * s, over one number s."""
    model = MLPReward(RewardSettings(**{"obs_dim": 1, "act_dim": 1, "hidden": (), **settings}))
    (layer,) = model.net
    layer.weight.data.fill_(value)
    layer.bias.data.zero_()
    return model


def judge(model: RewardModel, *states: float) -> list[float]:
    obs = torch.tensor(states)[:, None]
    return model(obs, obs, obs, torch.zeros(len(obs), dtype=torch.bool)).tolist()


def test_mean_minus_deviations_by_hand() -> None:
    members = [slope(1.0), slope(2.0), slope(6.0)]  # mean 3, variance (4 + 1 + 9) / 3
    deviation = math.sqrt(14 / 3)
    assert judge(EnsembleReward(members), 1.0, -2.0) == [3.0, -6.0]
    assert judge(EnsembleReward(members, k=0.5), 1.0, -2.0) == pytest.approx(
        [3 - deviation / 2, -6 - deviation]
    )
    assert judge(EnsembleReward(members, k=-1.0), 1.0) == pytest.approx([3 + deviation])
    one = torch.ones(1, 1)
    ensemble = EnsembleReward(members)
    assert ensemble.disagreement(one, one, one, torch.tensor([False])).item() == pytest.approx(deviation)
    assert ensemble.judgments(one, one, one, torch.tensor([False])).tolist() == [[1.0], [2.0], [6.0]]


@pytest.mark.parametrize("members", [[slope(2.0)], [slope(2.0), slope(2.0)]])
def test_where_all_agree_the_gradient_is_finite(members: list[RewardModel]) -> None:
    ensemble = EnsembleReward(members, k=3.0)
    obs = torch.ones(2, 1, requires_grad=True)
    reward = ensemble(obs, obs, obs, torch.zeros(2, dtype=torch.bool))
    assert reward.tolist() == [2.0, 2.0]
    reward.sum().backward()
    assert obs.grad.flatten().tolist() == [2.0, 2.0]


def test_members_of_several_classes_and_ensembles_come_back(tmp_path) -> None:
    inner = EnsembleReward([slope(1.0), slope(2.0)], k=1.0)
    ensemble = EnsembleReward([inner, -slope(3.0)], k=0.25)
    loaded = load_reward(ensemble.save(tmp_path), device="cpu")
    assert [type(member).__name__ for member in loaded.members] == ["EnsembleReward", "SumReward"]
    assert (loaded.k, loaded.members[0].k) == (0.25, 1.0)
    assert judge(loaded, 1.0, 2.0) == judge(ensemble, 1.0, 2.0)


def test_it_takes_over_what_its_members_read() -> None:
    keys = {"obs_keys": ("observation",)}
    ensemble = EnsembleReward([slope(1.0, **keys), slope(1.0, n_actions=2, inputs=("act",), **keys)])
    assert (ensemble.obs_keys, ensemble.n_actions) == (("observation",), 2)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"obs_dim": 2}, r"`members` must agree on `obs_dim`. Received \[1, 2\]; take rewards that were"),
        ({"act_dim": 2}, r"`members` must agree on `act_dim`. Received \[1, 2\]"),
        ({"obs_keys": ("a",)}, r"`members` must agree on `obs_keys`. Received \[None, \('a',\)\]"),
    ],
)
def test_members_must_read_the_same_transitions(other: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnsembleReward([slope(1.0), slope(1.0, **other)])


def test_members_for_other_actions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`members` must agree on `n_actions`. Received \[2, 3\]"):
        EnsembleReward([slope(1.0, inputs=("act",), n_actions=n) for n in (2, 3)])


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`members` must hold at least one reward. Received none"):
        EnsembleReward([])
    with pytest.raises(ValueError, match=r"`k` must be finite. Received nan"):
        EnsembleReward([slope(1.0)], k=math.nan)


@pytest.mark.usefixtures("without_type_checks")
def test_members_that_are_no_rewards_are_refused() -> None:
    with pytest.raises(TypeError, match=r"`members` must hold reward.* Received 'folder' at position 1"):
        EnsembleReward([slope(1.0), "folder"])
    with pytest.raises(TypeError, match=r"`members` must be a sequence .* Received a MLPReward; put it in"):
        EnsembleReward(slope(1.0))
