"""Demonstrations that end by termination: refused, unless the length of an episode is handled."""

import logging

import pytest
from corridor_env import Corridor, corridor_policy, rollouts
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.data.buffers import to_buffer
from rlpriors.rewards import MLPReward, RewardSettings


def prepare(ends: bool, absorbing: bool, allow: bool = False) -> None:
    """Prepare a training on demonstrations of the corridor."""
    env = Corridor(ends=ends)
    policy = corridor_policy(rollouts(env, 10, "random"), 4, absorbing=absorbing)
    reward = MLPReward(RewardSettings(1, 1), policy.layout.normalizer)
    settings = DiffusionIRLSettings(allow_variable_horizon=allow)
    algorithm = DiffusionIRL(policy=policy, reward=reward, optim=AdamOptimizerFactory(), settings=settings)
    algorithm.process_buffer(to_buffer(rollouts(env, 5, "right")))


def test_terminations_without_absorbing_states_are_refused() -> None:
    message = r"5 of 5 demonstrations end by termination.*absorbing=True.*allow_variable_horizon"
    with pytest.raises(ValueError, match=message):
        prepare(ends=True, absorbing=False)


@pytest.mark.parametrize(("ends", "absorbing"), [(False, False), (False, True), (True, True)])
def test_handled_lengths_pass(ends: bool, absorbing: bool, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        prepare(ends, absorbing)
    assert "end by termination" not in caplog.text


def test_the_risk_can_be_accepted(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        prepare(ends=True, absorbing=False, allow=True)
    assert "the sign of the learned reward is arbitrary" in caplog.text
