"""Environments of the exploration benchmark, and the lengths of its trainings.

`Task`       environment, DQN and lengths of a training
`TASKS`      tasks by name
`make_task`  environment of a task and a seed
"""

from dataclasses import replace
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np

from rlpriors.agents import AlgorithmSettings
from rlpriors.envs import make_env
from rlpriors.training.online_settings import OnlineSettings

__all__ = ["TASKS", "Task", "make_task"]


class Task(NamedTuple):
    """One environment, and the training that all methods share."""

    algorithm: AlgorithmSettings
    """Settings of DQN; a method sets its epsilon."""
    training: OnlineSettings
    """Lengths of the training."""
    solved_above: float
    """Return above which an episode counts as solved."""
    features: Literal["product", "random"]
    """Features of the elliptical bonus that do not learn."""

    def quick(self, env_steps: int) -> OnlineSettings:
        """Return the settings of a training of `env_steps` steps."""
        random_steps = min(self.training.random_steps, env_steps // 2)
        return replace(self.training, env_steps=env_steps, random_steps=random_steps)


SEA_SIZE = 10
SEA_EPISODES = 300

TASKS = {
    "deep-sea": Task(
        AlgorithmSettings("dqn", hidden=(64,), lr=1e-2, gamma=0.99, n_step=10, target_update_interval=10),
        OnlineSettings(
            env_steps=SEA_SIZE * SEA_EPISODES,
            n_envs=1,
            random_steps=0,
            collect_steps=SEA_SIZE,
            update_per_step=0.1,
            batch_size=128,
        ),
        0.5,
        "product",
    ),
    "freeway": Task(
        AlgorithmSettings("dqn", hidden=(128, 128), lr=3e-4, gamma=0.99, target_update_interval=500),
        OnlineSettings(
            env_steps=40_000,
            n_envs=1,
            random_steps=1000,
            collect_steps=8,
            update_per_step=0.25,
            batch_size=64,
        ),
        0.5,
        "random",
    ),
}
"""Deep sea with 10 rows for 300 episodes; Freeway of the Atari games, observed by its 128 bytes of memory."""


def make_task(name: str, seed: int) -> gym.Env[Any, Any]:
    """Return the environment of a task; the seed also fixes the meaning of deep sea's actions."""
    if name == "deep-sea":
        return make_env("DeepSea-v0", size=SEA_SIZE, mapping_seed=seed)
    env = make_env("ALE/Freeway-v5", obs_type="ram")
    space = gym.spaces.Box(0.0, 1.0, (128,), np.float32)
    return gym.wrappers.TransformObservation(env, lambda ram: ram / np.float32(255), space)
