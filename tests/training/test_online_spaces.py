"""Online training in wrapped environments: random steps and checks use the wrapped spaces."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from tianshou.env import DummyVectorEnv

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.spaces import wrapped_spaces
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy

SAC = AlgorithmSettings("sac", hidden=(8,))
SHORT = OnlineSettings(
    env_steps=48, n_envs=2, random_steps=16, collect_steps=4, batch_size=8, repeat=1, checkpoint_every=16
)
LONG = replace(SHORT, env_steps=120, random_steps=100)


class Line(gym.Env):
    """A point that steps left (0) or right (1), or by a continuous action, for 6 steps."""

    observation_space = gym.spaces.Box(-9, 9, (1,))

    def __init__(self, continuous: bool = False) -> None:
        self.action_space = gym.spaces.Box(-1, 1, (1,)) if continuous else gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = 0.0, 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.x += 2.0 * float(np.asarray(action).item()) - 1.0
        self.t += 1
        return np.array([self.x], np.float32), self.x, False, self.t == 6, {}


def test_random_steps_sample_the_wrapped_action_space() -> None:
    """A wrapper maps actions in 0..1 to torques in -2..2; the torques of random steps are uniform."""
    received: list[float] = []

    def to_torque(action: np.ndarray) -> np.ndarray:
        received.append(float(action[0]))
        return 4 * action - 2

    def make() -> gym.Env:
        return gym.wrappers.TransformAction(gym.make("Pendulum-v1"), to_torque, gym.spaces.Box(0, 1, (1,)))

    runs = []
    for _ in range(2):
        received.clear()
        algorithm = make_algorithm(
            *wrapped_spaces(make()), AlgorithmSettings("sac", hidden=(8,)), device="cpu"
        )
        train_online(
            algorithm, make, settings=replace(SHORT, env_steps=120, random_steps=100), progress=False
        )
        runs.append(list(received))
        assert 0 <= min(received) < 0.1
        assert 0.9 < max(received[:100]) <= 1
    assert runs[0] == runs[1]  # all randomness comes from the seed


def test_random_steps_sample_the_wrapped_discrete_space() -> None:
    """Tianshou's own vector environment samples 0 and 1, the actions of the unwrapped environment."""
    received: list[int] = []

    def record(action: int) -> int:
        received.append(int(action))
        return 0

    def make() -> gym.Env:
        return gym.wrappers.TransformAction(Line(), record, gym.spaces.Discrete(5))

    dqn = AlgorithmSettings("dqn", hidden=(8,))
    algorithm = make_algorithm(*wrapped_spaces(make()), dqn, device="cpu")
    train_online(algorithm, make, settings=LONG, progress=False)
    assert sorted(set(received[:100])) == [0, 1, 2, 3, 4]


def test_a_policy_for_other_spaces_is_refused() -> None:
    """Tianshou's `DummyVectorEnv.action_space` is a common source of the wrong space."""
    envs = DummyVectorEnv([lambda: gym.wrappers.RescaleAction(Line(True), np.float32(0), np.float32(5))] * 2)
    algorithm = make_algorithm(Line.observation_space, envs.action_space[0], SAC, device="cpu")
    with pytest.raises(
        ValueError, match=r"`policy` must have the action space .*Box\(0.0, 5.0.*Box\(-1.0, 1.0"
    ):
        train_online(algorithm, envs, settings=SHORT, progress=False)
    with pytest.raises(ValueError, match="`policy` must have the action space"):
        evaluate_policy(algorithm.policy, envs, n_episodes=2)
    wide = make_algorithm(gym.spaces.Box(-1, 1, (2,)), wrapped_spaces(envs).action, SAC, device="cpu")
    with pytest.raises(ValueError, match=r"`policy` must have the observation space .*\(1,\).*\(2,\)"):
        evaluate_policy(wide.policy, envs, n_episodes=2)
