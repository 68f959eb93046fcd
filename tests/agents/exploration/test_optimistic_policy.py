"""Bonus in the choice of actions: in a training only, with masks, and never in targets."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from line_env import TWO, dqn
from tianshou.algorithm.modelfree.c51 import C51Policy
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.data import Batch
from tianshou.utils.net.common import Net
from tianshou.utils.torch_utils import policy_within_training_step
from torch import nn

from rlpriors.agents.exploration import OptimisticQPolicy
from rlpriors.rewards import EllipticalBonus, EllipticalSettings

THREE = gym.spaces.Discrete(3)


class Values(nn.Module):
    """Q values 0, 1, 2 of three actions in every state."""

    def forward(self, obs, state=None, info=None):
        return torch.arange(3.0).repeat(len(obs), 1), state


def policy(weight: float = 1.0, eps: float = 0.0) -> OptimisticQPolicy:
    """Create a policy whose bonus is 10 for action 0 in state (1, 0) and falls for the others there."""
    bonus = EllipticalBonus(EllipticalSettings(obs_dim=2, act_dim=1, n_actions=3, beta=10.0))
    state = torch.tensor([[1.0, 0.0]])
    bonus.observe(state.repeat(200, 1), torch.ones(200, 1))
    bonus.observe(state.repeat(200, 1), torch.full((200, 1), 2.0))
    inner = DiscreteQLearningPolicy(model=Values(), action_space=THREE, eps_training=eps)
    return OptimisticQPolicy(inner, bonus, weight)


def states() -> Batch:
    return Batch(obs=np.eye(2, dtype=np.float32), info=Batch())


def collected(agent: OptimisticQPolicy, batch: Batch) -> list[int]:
    """Actions as a collector computes them, with exploration."""
    with torch.no_grad():
        act = agent(batch).act
    return agent.add_exploration_noise(act, batch).tolist()


def test_the_bonus_decides_while_it_collects_for_a_training() -> None:
    agent = policy()
    # State 0: 0 + 10, 1 + .7, 2 + .7.  State 1: 10, 11, 12.
    with policy_within_training_step(agent):
        assert collected(agent, states()) == [0, 2]
    assert collected(agent, states()) == [2, 2]  # an evaluation
    assert agent(states()).act.tolist() == [2, 2]  # targets
    with policy_within_training_step(policy(weight=0.01)):
        assert collected(policy(weight=0.01), states()) == [2, 2]


def test_masked_actions_stay_masked() -> None:
    agent = policy()
    masked = Batch(
        obs=Batch(obs=np.eye(2, dtype=np.float32), mask=np.array([[False, True, True]] * 2)), info=Batch()
    )
    assert agent.optimistic_actions(masked).tolist() == [2, 2]


def test_epsilon_greedy_noise_is_applied_after_it() -> None:
    np.random.seed(0)  # noqa: NPY002, Tianshou's exploration draws from it
    agent = policy(eps=1.0)
    with policy_within_training_step(agent):
        acts = [collected(agent, states())[0] for _ in range(60)]
    assert set(acts) == {0, 1, 2}


def test_the_network_is_shared_and_the_bonus_is_not_in_the_files() -> None:
    inner = dqn().policy
    bonus = EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1, n_actions=2))
    agent = OptimisticQPolicy(inner, bonus)
    assert agent.model is inner.model
    assert agent.bonus is bonus
    assert set(agent.state_dict()) == set(inner.state_dict())
    assert type(agent.greedy()) is DiscreteQLearningPolicy
    assert agent.greedy().model is inner.model
    assert agent.greedy().eps_training == inner.eps_training == 0.2


def test_bad_arguments() -> None:
    bonus = EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1, n_actions=2))
    inner = dqn().policy
    c51 = C51Policy(model=Net(state_shape=1, action_shape=2), action_space=TWO)
    with pytest.raises(TypeError, match="`policy` must be a DiscreteQLearningPolicy"):
        OptimisticQPolicy(c51, bonus)
    with pytest.raises(ValueError, match="`weight` must be at least 0"):
        OptimisticQPolicy(inner, bonus, -1.0)
    with pytest.raises(ValueError, match="`bonus` must read Discrete actions"):
        OptimisticQPolicy(inner, EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1)))
    other = EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1, n_actions=3))
    with pytest.raises(ValueError, match="action space"):
        OptimisticQPolicy(inner, other)
