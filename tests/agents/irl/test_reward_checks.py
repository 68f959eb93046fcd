"""Rewards that `DiffusionIRL` cannot train: errors before training."""

import pytest

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.reward_checks import check_trainable
from rlpriors.data.buffers import to_buffer
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def test_rewards_of_observations_and_of_windows_are_trainable() -> None:
    check_trainable(MLPReward(RewardSettings(obs_dim=3, act_dim=2)))
    check_trainable(TrajectoryValue(TrajectoryValueSettings(8, 4, (8,))))
    with pytest.raises(TypeError, match="`reward` must be"):
        check_trainable("a folder")


def test_a_reward_of_other_sizes_is_refused(walks, make_algorithm, train) -> None:
    data = walks()
    wrong = MLPReward(RewardSettings(obs_dim=3, act_dim=2))
    with pytest.raises(ValueError, match=r"observations of 2 entries, .*\. Received one of 3"):
        train(make_algorithm(DiffusionIRL, data, reward=wrong), data, 1)
    wrong = MLPReward(RewardSettings(obs_dim=2, act_dim=3))
    with pytest.raises(ValueError, match=r"`reward` takes .* actions of 3, but .* has 2 and 2"):
        train(make_algorithm(DiffusionIRL, data, reward=wrong), data, 1)


def test_a_value_of_other_sizes_is_refused(walks, make_algorithm, train) -> None:
    data = walks()
    value = TrajectoryValue(TrajectoryValueSettings(9, 4, (8,)))
    with pytest.raises(ValueError, match=r"`reward` takes windows of 9 time steps of 4 numbers.* 8 of 4"):
        train(make_algorithm(DiffusionIRL, data, reward=value), data, 1)


def test_a_value_knows_no_steps_to_be_slow_along(walks, make_algorithm) -> None:
    value = TrajectoryValue(TrajectoryValueSettings(8, 4, (8,)))
    settings = DiffusionIRLSettings(slowness_penalty=1.0)
    algorithm = make_algorithm(DiffusionIRL, walks(), reward=value, settings=settings)
    with pytest.raises(ValueError, match=r"`slowness_penalty` must be 0 for a TrajectoryValue"):
        algorithm.process_buffer(to_buffer(walks()))
