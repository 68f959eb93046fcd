from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.net.common import Net

from rlpriors.agents import (
    AdversarialIRL,
    BehaviorCloning,
    BehaviorCloningPolicy,
    DiffuserPolicy,
    DiffusionIRL,
    DiffusionPolicy,
    Relabel,
    TrajectoryLayout,
)
from rlpriors.agents.observation_reader import select_leaves
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.buffers import to_buffer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.networks import build_denoiser
from rlpriors.rewards import GAILReward, GAILSettings, MLPReward, RewardSettings

KEYS, SORTED = ("position", "goal"), ("goal", "position")
ACTIONS = gym.spaces.Box(-1, 1, (1,))
LAYOUT = ObservationLayout(KEYS, ((1,), (1,)))
BOTH = r"leaves \('position' \(1,\), 'goal' \(1,\)\).*Received \('goal'( \(1,\))?, 'position'( \(1,\))?\)"


def make_store(keys=KEYS):
    obs = {"position": np.arange(9.0)[:, None], "goal": -np.arange(9.0)[:, None]}
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((8, 1)), *np.zeros((3, 8)))], keys)


def cloning(data, **arguments):
    return BehaviorCloningPolicy.fit(data, ACTIONS, device="cpu", **arguments)


def diffusion(data, **arguments):
    return DiffusionPolicy.fit(data, ACTIONS, horizon=4, width=8, device="cpu", **arguments)


def planning(data, **arguments):
    layout = TrajectoryLayout.fit(data, 4)
    return DiffuserPolicy(
        denoiser=build_denoiser("mlp", horizon=4, dim=layout.dim),
        process=DiffusionProcess(NoiseSchedule(9)),
        layout=layout,
        action_space=ACTIONS,
        device="cpu",
        **arguments,
    )


@pytest.mark.parametrize("make", [cloning, diffusion, planning])
class TestPolicies:
    def test_leaves_are_read_in_the_order_of_the_data(self, make):
        policy = make(make_store())
        assert policy.obs_layout == LAYOUT
        vectors = np.float32([[3, -3], [4, -4]])
        leaves = Batch(goal=vectors[:, 1:], position=vectors[:, :1])  # an environment's order
        actions = []
        for obs in (vectors, leaves):
            policy.reseed(0)
            actions.append(policy(Batch(obs=obs, info=Batch())).act)
        np.testing.assert_array_equal(*actions)

    def test_other_keys_and_data_are_refused(self, make):
        with pytest.raises(ValueError, match=r"\('goal', 'position'\).*Received \('position' \(1,\), 'goal'"):
            make(make_store(), obs_keys=SORTED)
        with pytest.raises(ValueError, match=BOTH):
            make(make_store()).check_data(make_store(SORTED))

    def test_leaves_of_other_shapes_are_refused(self, make):
        policy = make(make_store())
        obs = Batch(position=np.zeros((1, 1)), goal=np.zeros((1, 2)))
        with pytest.raises(ValueError, match=r"'goal' \(1,\)\).*Received .*'goal' \(2,\)\)"):
            policy(Batch(obs=obs, info=Batch()))

    def test_an_unknown_order_is_not_guessed(self, make):
        policy = make(replace(make_store(), obs_layout=None))
        obs = Batch(position=np.zeros((1, 1)), goal=np.zeros((1, 1)))
        with pytest.raises(ValueError, match="`obs_keys` must give the order"):
            policy(Batch(obs=obs, info=Batch()))
        policy.check_data(make_store())  # the training data record it
        assert policy.obs_keys == KEYS


def test_a_single_leaf_needs_no_keys():
    assert select_leaves({"image": np.ones((2, 3))}, None).tolist() == np.ones((2, 3)).tolist()


def test_training_data_in_another_order_are_refused():
    algorithm = BehaviorCloning(policy=cloning(make_store()), optim=AdamOptimizerFactory())
    assert algorithm.process_buffer(to_buffer(make_store())).store.obs_layout == LAYOUT
    with pytest.raises(ValueError, match=BOTH):
        algorithm.process_buffer(to_buffer(make_store(SORTED)))


class TestOnlineAlgorithms:
    """A discriminator and a reward over a replay buffer with Dict observations."""

    def buffer(self):
        buffer = ReplayBuffer(4)
        for now in (1.0, 2.0):
            obs, obs_next = ({"goal": np.float32([-x]), "position": np.float32([x])} for x in (now, now + 1))
            step = {"act": 1, "rew": 0.0, "terminated": False, "truncated": False}
            buffer.add(Batch(obs=obs, obs_next=obs_next, **step))
        return buffer

    def dqn(self):
        net = Net(state_shape=2, action_shape=2, hidden_sizes=[8])
        policy = DiscreteQLearningPolicy(model=net, action_space=gym.spaces.Discrete(2))
        return DQN(policy=policy, optim=AdamOptimizerFactory())

    def test_a_discriminator_reads_the_agent_as_the_demonstrations(self):
        data = make_store()
        data = replace(data, act=np.ones(8, np.int64))
        reward = GAILReward(GAILSettings(obs_dim=2, act_dim=1, n_actions=2))
        algorithm = AdversarialIRL(
            self.dqn(), discriminator=reward, demonstrations=data, optim=AdamOptimizerFactory()
        )
        assert reward.obs_layout == LAYOUT
        agent = algorithm.agent_transitions(self.buffer()[:])
        assert agent.obs.tolist() == [[1, -1], [2, -2]]
        assert agent.obs_next.tolist() == [[2, -2], [3, -3]]

    def test_a_reward_without_record_is_refused(self):
        reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, hidden=()))
        with pytest.raises(ValueError, match="`obs_keys` must give the order"):
            Relabel(self.dqn(), reward).compute_rewards(self.buffer()[:])
        Relabel(self.dqn(), reward, obs_keys=KEYS).compute_rewards(self.buffer()[:])

    def test_other_keys_are_refused(self):
        reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, obs_keys=KEYS))
        with pytest.raises(ValueError, match=r"\('position', 'goal'\).*Received \('goal', 'position'\)"):
            Relabel(self.dqn(), reward, obs_keys=SORTED)


class TestDiffusionIRL:
    def make(self, data, reward):
        return DiffusionIRL(policy=planning(data), reward=reward, optim=AdamOptimizerFactory())

    def test_the_reward_records_the_leaves(self):
        algorithm = self.make(make_store(), MLPReward(RewardSettings(obs_dim=2, act_dim=1)))
        assert algorithm.reward.obs_layout == algorithm.online.obs_layout == LAYOUT

    def test_a_reward_of_another_order_is_refused(self):
        reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, obs_keys=SORTED))
        with pytest.raises(ValueError, match=r"\('goal', 'position'\).*Received \('position' \(1,\)"):
            self.make(make_store(), reward)
        with pytest.raises(ValueError, match=r"\('goal', 'position'\).*Received \('position' \(1,\)"):
            planning(make_store()).reward = reward

    def test_demonstrations_in_another_order_are_refused(self):
        algorithm = self.make(make_store(), MLPReward(RewardSettings(obs_dim=2, act_dim=1)))
        with pytest.raises(ValueError, match=BOTH):
            algorithm.process_buffer(to_buffer(make_store(SORTED)))

    def test_observations_of_rank_2_are_refused_at_once(self):
        episode = Episode(np.ones((9, 2, 3)), np.zeros((8, 1)), *np.zeros((3, 8)))
        data = EpisodeStore.from_episodes([episode])
        reward = MLPReward(RewardSettings(obs_dim=6, act_dim=1))
        with pytest.raises(ValueError, match=r"vector observations.*shape \(2, 3\); flatten them"):
            self.make(data, reward)
        flat = replace(data, obs=data.obs.reshape(len(data.obs), -1), obs_layout=None)  # the fix it names
        assert torch.isfinite(torch.from_numpy(flat.relabel(self.make(flat, reward).reward).rew)).all()
