"""Terminal value of a learned reward: its discount, and plans that leave a local maximum."""

from typing import Any

import numpy as np
import pytest
import torch
from long_corridor import last_positions

from rlpriors.agents import add_terminal_value, fit_terminal_value
from rlpriors.agents.irl.planning_value import length_discount
from rlpriors.data import Episode, EpisodeStore
from rlpriors.diffusion import GuidanceSettings, PlannerSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

QUICK = {"updates": 20, "hidden": (8,), "progress": False}


def still(*lengths: int) -> EpisodeStore:
    """Episodes of these lengths in one place."""
    none = {n: np.zeros(n, bool) for n in lengths}
    return EpisodeStore.from_episodes(
        [Episode(np.zeros((n + 1, 1)), np.zeros((n, 1)), np.zeros(n), none[n], none[n]) for n in lengths]
    )


def position_of(obs, act, obs_next, terminated):
    return obs[:, 0]


@pytest.mark.parametrize(("lengths", "expected"), [((80, 100, 800), 0.99), ((2, 3, 2), 0.5), ((1,), 0.5)])
def test_the_discount_follows_the_median_length(lengths, expected: float) -> None:
    assert length_discount(still(*lengths)) == pytest.approx(expected)


def test_the_value_is_that_of_the_policys_reward(walks, make_policy) -> None:
    data, demonstrations = walks(5), walks(3, steps=40, seed=1)
    policy = make_policy(data, reward=position_of)
    value = add_terminal_value(policy, data, demonstrations, n_steps=3, **QUICK)
    assert policy.terminal_value is value
    same = fit_terminal_value(data, position_of, discount=1 - 1 / 40, n_steps=3, device="cpu", **QUICK)
    assert value.discount == same.discount
    obs = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(value(obs), same(obs))
    assert add_terminal_value(policy, data, demonstrations, discount=0.5, **QUICK).discount == 0.5
    assert policy.terminal_value is not value


def test_a_policy_without_rewards_of_steps(walks, make_policy) -> None:
    data = walks()
    policy = make_policy(data)
    with pytest.raises(ValueError, match=r"`policy` must have a reward of single steps.*Received None"):
        add_terminal_value(policy, data, data, **QUICK)
    policy.reward = TrajectoryValue(TrajectoryValueSettings(8, policy.layout.dim))
    with pytest.raises(ValueError, match=r"`policy` must have a reward.*Received a TrajectoryValue"):
        add_terminal_value(policy, data, data, **QUICK)
    assert policy.terminal_value is None


def test_data_of_another_environment(walks, make_policy) -> None:
    data = walks()
    policy = make_policy(data, reward=position_of)
    with pytest.raises(ValueError, match=r"data's observations have 3 entries, .* was made for 2"):
        add_terminal_value(policy, walks(dim=3), data, **QUICK)


@pytest.mark.usefixtures("without_type_checks")
def test_something_else_than_a_policy(walks) -> None:
    no_policy: Any = position_of
    data = walks()
    with pytest.raises(TypeError, match=r"`policy` must be a DiffuserPolicy"):
        add_terminal_value(no_policy, data, data, **QUICK)


def two_maxima(obs, act, obs_next, terminated):
    """Reward of 1 in 2 and of 0.2 in 0.2, which lie within half a unit of ascent, and 0 elsewhere."""
    place = obs_next[:, 0]
    goal, local = ((1 - 2 * (place - at).abs()).clamp(min=0) for at in (2.0, 0.2))
    return goal + 0.2 * local


def test_plans_leave_a_local_maximum_of_the_reward(walks, gaussian_policy) -> None:
    # Plans of 7 steps move by 0.7 at most, so that no plan from 0.2 sees the goal.
    data = walks(60, 40, dim=1, center=1.0)
    planner = PlannerSettings(n_candidates=8, n_steps=4, guidance=GuidanceSettings(space="posterior"))
    policy = gaussian_policy(data, reward=two_maxima, planner=planner, execution_horizon=7)
    waits = last_positions(policy)
    assert max(waits) < 0.8
    add_terminal_value(policy, data, data, updates=300, hidden=(64,), lr=3e-3, progress=False)
    assert min(last_positions(policy)) > 1.5
