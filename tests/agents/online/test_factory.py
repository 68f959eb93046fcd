"""Factory of Tianshou's algorithms: classes, sizes, seeds and errors."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.algorithm import DQN, PPO, SAC, TD3
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

from rlpriors.agents import AlgorithmSettings, make_algorithm

PLANE = gym.spaces.Box(-np.inf, np.inf, (4,))
PUSH = gym.spaces.Box(-2, 2, (2,))
KEYS = gym.spaces.Discrete(3)


@pytest.mark.parametrize(
    ("algorithm", "space", "kind"),
    [("sac", PUSH, SAC), ("td3", PUSH, TD3), ("ppo", PUSH, PPO), ("ppo", KEYS, PPO), ("dqn", KEYS, DQN)],
)
def test_each_algorithm_acts_within_its_space(algorithm, space, kind):
    agent = make_algorithm(PLANE, space, AlgorithmSettings(algorithm, hidden=(8,)), device="cpu")
    assert isinstance(agent, kind)
    obs = Batch(obs=np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32), info=Batch())
    with torch.no_grad():
        acts = agent.policy.map_action(agent.policy(obs).act)
    assert len(acts) == 5
    assert all(space.contains(act.astype(space.dtype)) for act in np.asarray(acts))


@pytest.mark.parametrize(
    ("algorithm", "name"), [("sac", "Pendulum-v1"), ("ppo", "Pendulum-v1"), ("dqn", "CartPole-v1")]
)
def test_hidden_layers_have_the_given_widths(algorithm, name):
    env = gym.make(name)
    settings = AlgorithmSettings(algorithm, hidden=(7, 5))
    agent = make_algorithm(env.observation_space, env.action_space, settings, device="cpu")
    widths = {m.out_features for m in agent.policy.modules() if isinstance(m, torch.nn.Linear)}
    assert {7, 5} <= widths


def test_equal_seeds_give_equal_weights_and_leave_the_generator_alone():
    before = torch.random.get_rng_state()
    first, again, other = (
        make_algorithm(PLANE, PUSH, AlgorithmSettings(), device="cpu", seed=seed).policy.state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_critics_of_sac_start_with_different_weights():
    agent = make_algorithm(PLANE, PUSH, AlgorithmSettings("sac"), device="cpu")
    first, second = (next(c.parameters()) for c in (agent.critic, agent.critic2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("spaces", "algorithm", "message"),
    [
        ((gym.spaces.Dict(a=PLANE), PUSH), "sac", "`observation_space` must be a Box"),
        ((PLANE, KEYS), "sac", r"`action_space` must be Box for 'sac'.*use one of \['ppo', 'dqn'\]"),
        ((PLANE, PUSH), "dqn", r"must be Discrete for 'dqn'.*\['sac', 'td3', 'ppo'\]"),
        ((PLANE, gym.spaces.MultiBinary(2)), "ppo", "must be Box or Discrete for 'ppo'.*TransformAction"),
        ((PLANE, PLANE), "td3", "must be bounded"),
        ((PLANE, gym.spaces.Discrete(3, start=1)), "dqn", "must begin at 0"),
        # Gymnasium's pull request 1679: fractions of an integer Box.
        ((PLANE, gym.spaces.Box(0, 10, (1,), np.int64)), "sac", "Box of floating-point numbers.*rounds"),
    ],
)
def test_unsupported_spaces_are_refused(spaces, algorithm, message):
    with pytest.raises(ValueError, match=message):
        make_algorithm(*spaces, AlgorithmSettings(algorithm), device="cpu")


def test_a_collector_runs_the_algorithm():
    envs = DummyVectorEnv([lambda: gym.make("Pendulum-v1")] * 2)
    env = gym.make("Pendulum-v1")
    agent = make_algorithm(
        env.observation_space, env.action_space, AlgorithmSettings("td3", hidden=(8,)), device="cpu"
    )
    collector = Collector(agent, envs, VectorReplayBuffer(40, 2))
    collector.reset()
    assert collector.collect(n_step=20).n_collected_steps == 20
