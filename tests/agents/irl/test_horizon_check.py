"""Demonstrations that end by termination: refused, unless the length of an episode is handled."""

import logging
from typing import Any

import pytest
from corridor_env import Corridor, corridor_policy, rollouts
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings
from rlpriors.data.buffers import to_buffer
from rlpriors.rewards import MLPReward, RewardSettings


def prepare(ends: bool, absorbing: bool, allow: bool = False, **negatives: Any) -> None:
    """Prepare a training on demonstrations of the corridor."""
    env = Corridor(ends=ends)
    data = rollouts(env, 10, "random")
    policy = corridor_policy(data, 4, absorbing=absorbing)
    reward = MLPReward(RewardSettings(1, 1), policy.layout.normalizer)
    settings = DiffusionIRLSettings(allow_variable_horizon=allow)
    algorithm = DiffusionIRL(
        policy=policy,
        reward=reward,
        optim=AdamOptimizerFactory(),
        settings=settings,
        **{"prior_data": data} | negatives,
    )
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


@pytest.mark.parametrize(
    ("ends", "negatives", "warns"),
    [
        (True, {"prior_data": None}, True),
        (True, {"reference": "guided"}, True),
        (True, {}, False),
        (True, {"reference": [("guided", 1.0), ("prior_data", 1.0)]}, False),
        (False, {"reference": "guided"}, False),
    ],
)
def test_guided_samples_alone_do_not_show_when_to_end(ends, negatives, warns, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        prepare(ends, True, **negatives)
    assert ("the reward then pays for long episodes" in caplog.text) == warns
