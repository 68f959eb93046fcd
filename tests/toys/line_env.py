"""Point on a line, demonstrations that move it to the right, and small algorithms that train in seconds."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm import DQN, PPO, SAC
from tianshou.algorithm.algorithm_base import Algorithm
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import AutoAlpha, SACPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, ReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams, OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import (
    ContinuousActorProbabilistic,
    ContinuousCritic,
)
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch.distributions import Categorical, Independent, Normal

from rlpriors.data.buffers import FastReplayBuffer
from rlpriors.data.episodes import Episode, EpisodeStore

STEPS = 10
BOX = gym.spaces.Box(-2.0, 2.0, (1,))
TWO = gym.spaces.Discrete(2)


class Line(gym.Env[np.ndarray, Any]):
    """Position that moves by a tenth of the action, or by 0.2 to the left (0) or right (1).

    The environment's reward is misleading: it is higher on the left.
    """

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)

    def __init__(self, action_space: gym.Space[Any] = BOX) -> None:
        self.action_space = action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.x, self.time = self.np_random.uniform(-0.2, 0.2), 0
        return np.array([self.x], np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        move = float(np.asarray(action).flat[0])
        self.x += 0.1 * np.clip(move, -2, 2) if self.action_space is not TWO else 0.4 * move - 0.2
        self.time += 1
        return np.array([self.x], np.float32), -self.x, False, self.time == STEPS, {}


def to_the_right(n: int = 4, action_space: gym.Space[Any] = BOX) -> EpisodeStore:
    """Create episodes with nearly the largest action at every step."""
    rng, episodes = np.random.default_rng(0), []
    for _ in range(n):
        start = rng.uniform(-0.2, 0.2)
        act = rng.uniform(1.6, 2.0, (STEPS, 1)) if action_space is not TWO else np.ones(STEPS, np.int64)
        moves = 0.1 * act[:, 0] if action_space is not TWO else 0.2 * act
        obs = np.concatenate([[start], start + moves.cumsum()])[:, None]
        end = np.arange(STEPS) == STEPS - 1
        episodes.append(Episode(obs, act, np.zeros(STEPS), np.zeros(STEPS, bool), end))
    return EpisodeStore.from_episodes(episodes)


def sac(n_step: int = 1, alpha: Any = 0.05, lr: float = 3e-3, hidden: tuple[int, ...] = (32,)) -> SAC:
    actor = ContinuousActorProbabilistic(
        preprocess_net=Net(state_shape=1, hidden_sizes=hidden), action_shape=1, unbounded=True,
        conditioned_sigma=True,
    )  # fmt: skip
    critic = ContinuousCritic(
        preprocess_net=Net(state_shape=1, action_shape=1, hidden_sizes=hidden, concat=True)
    )
    policy = SACPolicy(actor=actor, action_space=BOX, observation_space=Line.observation_space)
    optim = AdamOptimizerFactory(lr=lr)
    if alpha == "auto":
        alpha = AutoAlpha(-1.0, -2.0, AdamOptimizerFactory(lr=lr))
    return SAC(
        policy=policy, policy_optim=optim, critic=critic, critic_optim=optim, gamma=0.9, tau=0.05,
        alpha=alpha, n_step_return_horizon=n_step,
    )  # fmt: skip


def dqn(n_step: int = 1) -> DQN[Any]:
    net = Net(state_shape=1, action_shape=2, hidden_sizes=[32])
    policy = DiscreteQLearningPolicy(
        model=net, action_space=TWO, observation_space=Line.observation_space, eps_training=0.2
    )
    return DQN(
        policy=policy, optim=AdamOptimizerFactory(lr=3e-3), gamma=0.9, n_step_return_horizon=n_step,
        target_update_freq=20,
    )  # fmt: skip


def ppo(action_space: gym.Space[Any] = BOX) -> PPO:
    net, critic_net = (Net(state_shape=1, hidden_sizes=[32]) for _ in range(2))
    if action_space is TWO:
        actor: Any = DiscreteActor(preprocess_net=net, action_shape=2, softmax_output=False)
        critic: Any = DiscreteCritic(preprocess_net=critic_net)
    else:
        actor = ContinuousActorProbabilistic(preprocess_net=net, action_shape=1, unbounded=True)
        critic = ContinuousCritic(preprocess_net=critic_net)

    def distribution(out: Any) -> Any:
        return Categorical(logits=out) if action_space is TWO else Independent(Normal(*out), 1)

    policy = ProbabilisticActorPolicy(
        actor=actor, dist_fn=distribution, action_space=action_space, action_scaling=action_space is not TWO,
        action_bound_method=None if action_space is TWO else "clip",
        observation_space=Line.observation_space,
    )  # fmt: skip
    return PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-2), gamma=0.9)


def seeded(make: Callable[..., Any], *args: Any, seed: int = 0, **kwargs: Any) -> Any:
    """Return `make(...)` with weights that depend on `seed` only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*args, **kwargs)


def filled(algorithm: Algorithm[Any, Any], steps: int = 60, seed: int = 0) -> ReplayBuffer:
    """Collect a buffer of random steps, in the policy's units."""
    space = algorithm.policy.action_space
    space.seed(seed)
    buffer = FastReplayBuffer(1000)
    collector = Collector(algorithm, DummyVectorEnv([lambda: Line(space)]), buffer)
    collector.reset(gym_reset_kwargs={"seed": seed})
    collector.collect(n_step=steps, random=True)
    return buffer


def train(algorithm: Any, env_steps: int, batch_size: int = 64, updates_per_step: float = 1.0) -> float:
    """Train with Tianshou's trainer and return the mean last position of the policy (2 at best)."""
    space = algorithm.policy.action_space
    env = DummyVectorEnv([lambda: Line(space)])
    space.seed(0)  # shared by all tests: the first random actions must not depend on which ran before
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002, Tianshou's exploration draws from it
    common = {
        "max_epochs": 1, "epoch_num_steps": env_steps, "verbose": False, "show_progress": False,
        "batch_size": batch_size,
    }  # fmt: skip
    collector = Collector(algorithm, env, FastReplayBuffer(5000))
    collector.reset(gym_reset_kwargs={"seed": 0})
    if "OnPolicy" in type(algorithm).__name__:
        params: Any = OnPolicyTrainerParams(
            training_collector=collector, collection_step_num_env_steps=200,
            update_step_num_repetitions=8, **common,
        )  # fmt: skip
    else:
        collector.collect(n_step=100, random=True)
        params = OffPolicyTrainerParams(
            training_collector=collector, collection_step_num_env_steps=50,
            update_step_num_gradient_steps_per_sample=updates_per_step, **common,
        )  # fmt: skip
    algorithm.run_training(params)
    return distance(algorithm)


def distance(algorithm: Any, n: int = 5) -> float:
    """Return the mean last position of the policy without exploration."""
    env, ends = Line(algorithm.policy.action_space), []
    algorithm.policy.eval()
    for episode in range(n):
        obs, _ = env.reset(seed=episode)
        for _ in range(STEPS):
            with torch.no_grad():
                act = algorithm.policy.compute_action(obs)
            obs, *_ = env.step(act)
        ends.append(float(obs[0]))
    return float(np.mean(ends))


def assert_equal(one: Any, other: Any) -> None:
    """Assert that two training states are bit-equal."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_equal(one[name], other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_equal(*pair)
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other
