"""Progress of failures in on-policy learning: rewards in the batch by hand, and in PPO's returns."""

import gymnasium as gym
import numpy as np
import pytest
from tianshou.algorithm import PPO, Reinforce
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, VectorReplayBuffer
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

from rlpriors.agents import ProgressOnPolicy
from rlpriors.agents.online.progress import positive_return

WALKS = ((0.0, 1.0, 2.0, 4.0), (0.0, 1.0, 2.0), (0.0, -1.0, -2.0, -3.0), (0.0, 1.0))
"""Observations of a success, two failures and an unfinished episode, one in each environment."""
EXPECTED = (1.0, 0.6 / (1 + np.exp(-5)), 0.6 / (1 + np.exp(5)), 0.0)


def filled() -> VectorReplayBuffer:
    buffer = VectorReplayBuffer(40, 4)
    for number, walk in enumerate(WALKS):
        for time in range(len(walk) - 1):
            last = time == len(walk) - 2
            step = Batch(
                obs=np.array([walk[time]]),
                act=0,
                rew=float(number == 0 and last),
                obs_next=np.array([walk[time + 1]]),
                terminated=number == 0 and last,
                truncated=number in (1, 2) and last,
                done=number < 3 and last,
                info={},
            )
            buffer.add(Batch([step]), buffer_ids=[number])
    return buffer


def policy() -> DiscreteActorPolicy:
    actor = DiscreteActor(preprocess_net=Net(state_shape=1, hidden_sizes=[8]), action_shape=2)
    return DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))


def preprocessed(algorithm: ProgressOnPolicy) -> Batch:
    buffer = filled()
    batch, indices = buffer.sample(0)
    return algorithm._preprocess_batch(batch, buffer, indices)


def test_the_last_step_of_each_whole_episode_is_rewarded() -> None:
    algorithm = ProgressOnPolicy(Reinforce(policy=policy(), optim=AdamOptimizerFactory()), pool="last")
    batch = preprocessed(algorithm)
    wanted = [0, 0, EXPECTED[0], 0, EXPECTED[1], 0, 0, EXPECTED[2], 0]
    assert batch.rew.tolist() == pytest.approx(wanted)
    assert algorithm.success_rate == 0.25


def test_rewards_reach_the_returns_of_ppo() -> None:
    own = policy()
    critic = DiscreteCritic(preprocess_net=Net(state_shape=1, hidden_sizes=[8]))
    ppo = PPO(
        policy=own,
        critic=critic,
        optim=AdamOptimizerFactory(),
        gamma=0.5,
        gae_lambda=1.0,
        max_batchsize=64,
    )
    batch = preprocessed(ProgressOnPolicy(ppo, pool="last"))
    # The success ends by termination: its returns are 1/4, 1/2 and 1, whatever the critic says.
    assert batch.returns[:3].tolist() == pytest.approx([0.25, 0.5, 1.0], abs=1e-5)


def test_success_is_decided_by_a_function() -> None:
    algorithm = ProgressOnPolicy(
        Reinforce(policy=policy(), optim=AdamOptimizerFactory()),
        lambda store: np.array([False, False, True, False]),
        pool="last",
    )
    rew = preprocessed(algorithm).rew
    assert rew[7] == 1
    assert rew[4] > rew[2] > 0  # 2 is nearer to -3 than 4 is
    with pytest.raises(ValueError, match="one boolean for each of the 4"):
        ProgressOnPolicy(
            Reinforce(policy=policy(), optim=AdamOptimizerFactory()), lambda store: np.zeros(2, bool)
        )._preprocess_batch(*_sampled())


def _sampled() -> tuple[Batch, VectorReplayBuffer, np.ndarray]:
    buffer = filled()
    batch, indices = buffer.sample(0)
    return batch, buffer, indices


def test_positive_returns_are_successes() -> None:
    from rlpriors.data.buffers import from_buffer

    assert positive_return(from_buffer(filled())).tolist() == [True, False, False, False]
