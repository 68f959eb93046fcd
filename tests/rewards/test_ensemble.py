"""EnsembleReward: mean and deviation by hand, gradients at agreement, and errors."""

import math

import pytest
import torch
from linear_rewards import linear_reward, score_states

from rlpriors.rewards import EnsembleReward, RewardModel, load_reward


def test_mean_minus_deviations_by_hand() -> None:
    members = [linear_reward(1.0), linear_reward(2.0), linear_reward(6.0)]  # mean 3, variance (4 + 1 + 9) / 3
    deviation = math.sqrt(14 / 3)
    assert score_states(EnsembleReward(members), 1.0, -2.0).tolist() == [3.0, -6.0]
    assert score_states(EnsembleReward(members, k=0.5), 1.0, -2.0).tolist() == pytest.approx(
        [3 - deviation / 2, -6 - deviation]
    )
    assert score_states(EnsembleReward(members, k=-1.0), 1.0).tolist() == pytest.approx([3 + deviation])
    one = torch.ones(1, 1)
    ensemble = EnsembleReward(members)
    assert ensemble.disagreement(one, one, one, torch.tensor([False])).item() == pytest.approx(deviation)
    assert ensemble.member_rewards(one, one, one, torch.tensor([False])).tolist() == [[1.0], [2.0], [6.0]]


@pytest.mark.parametrize("members", [[linear_reward(2.0)], [linear_reward(2.0), linear_reward(2.0)]])
def test_where_all_agree_the_gradient_is_finite(members: list[RewardModel]) -> None:
    ensemble = EnsembleReward(members, k=3.0)
    obs = torch.ones(2, 1, requires_grad=True)
    reward = ensemble(obs, obs, obs, torch.zeros(2, dtype=torch.bool))
    assert reward.tolist() == [2.0, 2.0]
    reward.sum().backward()
    assert obs.grad.flatten().tolist() == [2.0, 2.0]


def test_members_of_several_classes_and_ensembles_come_back(tmp_path) -> None:
    inner = EnsembleReward([linear_reward(1.0), linear_reward(2.0)], k=1.0)
    ensemble = EnsembleReward([inner, -linear_reward(3.0)], k=0.25)
    loaded = load_reward(ensemble.save(tmp_path), device="cpu")
    assert [type(member).__name__ for member in loaded.members] == ["EnsembleReward", "SumReward"]
    assert (loaded.k, loaded.members[0].k) == (0.25, 1.0)
    assert score_states(loaded, 1.0, 2.0).tolist() == score_states(ensemble, 1.0, 2.0).tolist()


def test_it_takes_over_what_its_members_read() -> None:
    keys = {"obs_keys": ("observation",)}
    ensemble = EnsembleReward(
        [linear_reward(1.0, **keys), linear_reward(1.0, n_actions=2, inputs=("act",), **keys)]
    )
    assert (ensemble.obs_keys, ensemble.n_actions) == (("observation",), 2)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"obs_dim": 2}, r"`members` must agree on `obs_dim`. Received \[1, 2\]; use rewards that were"),
        ({"act_dim": 2}, r"`members` must agree on `act_dim`. Received \[1, 2\]"),
        ({"obs_keys": ("a",)}, r"`members` must agree on `obs_keys`. Received \[None, \('a',\)\]"),
    ],
)
def test_members_must_read_the_same_transitions(other: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnsembleReward([linear_reward(1.0), linear_reward(1.0, **other)])


def test_members_for_other_actions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`members` must agree on `n_actions`. Received \[2, 3\]"):
        EnsembleReward([linear_reward(1.0, inputs=("act",), n_actions=n) for n in (2, 3)])


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`members` must hold at least one reward. Received none"):
        EnsembleReward([])
    with pytest.raises(ValueError, match=r"`k` must be a finite number. Received nan"):
        EnsembleReward([linear_reward(1.0)], k=math.nan)


@pytest.mark.usefixtures("without_type_checks")
def test_members_that_are_no_rewards_are_refused() -> None:
    with pytest.raises(TypeError, match=r"`members` must hold reward.* Received 'folder' at position 1"):
        EnsembleReward([linear_reward(1.0), "folder"])
    with pytest.raises(TypeError, match=r"`members` must be a sequence .* Received a MLPReward; put it in"):
        EnsembleReward(linear_reward(1.0))
