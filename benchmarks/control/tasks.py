"""Environments of the control benchmark.

`Task`      training on an environment with images for observations
`TASKS`     tasks by the id of their environment
`make_env`  environment of a task
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from rlpriors.agents.online.settings import AlgorithmSettings
from rlpriors.envs.make import make_env as make_registered
from rlpriors.training.online_settings import OnlineSettings
from rlpriors.wrappers import PixelObservation

__all__ = ["TASKS", "Task", "make_env"]

PPO = AlgorithmSettings("ppo", hidden=(64, 64), lr=5e-4, entropy=0.01)


@dataclass(frozen=True)
class Task:
    """Training on an environment with images for observations."""

    make: Callable[[str], gym.Env[Any, Any]]
    """Function that makes the environment of an id."""
    env_steps: int
    """Number of steps in all environments together."""
    stack: int = 1
    """Number of frames in an observation."""
    size: int = 80
    """Height and width of the images that networks of torch read."""
    algorithm: AlgorithmSettings = PPO
    """Settings of the agent."""

    def training(self, env_steps: int | None = None) -> OnlineSettings:
        """Return the settings of the training, of `env_steps` steps if given."""
        return OnlineSettings(
            env_steps=env_steps or self.env_steps,
            n_envs=8,
            random_steps=0,
            collect_steps=1024,
            repeat=4,
            batch_size=256,
            checkpoint_every=10**9,
        )


def _minigrid(name: str) -> gym.Env[Any, Any]:
    """Return the whole grid as an image, 8 pixels for each cell, in color."""
    from minigrid.wrappers import ImgObsWrapper, RGBImgObsWrapper  # registers the environments

    return ImgObsWrapper(RGBImgObsWrapper(gym.make(name), tile_size=8))


def _mujoco(name: str) -> gym.Env[Any, Any]:
    env = make_registered(name, render_mode="rgb_array")
    return PixelObservation(env, 84, 84)


def _atari(name: str) -> gym.Env[Any, Any]:
    return make_registered(name, frameskip=4)


TASKS: dict[str, Task] = {
    "MiniGrid-Empty-Random-6x6-v0": Task(_minigrid, 10_240),
    "MiniGrid-DoorKey-5x5-v0": Task(_minigrid, 61_440),
    "InvertedPendulum-v5": Task(_mujoco, 204_800, stack=2),
    "Reacher-v5": Task(_mujoco, 51_200, stack=2),
    "HalfCheetah-v5": Task(_mujoco, 40_960, stack=2),
    "ALE/Freeway-v5": Task(_atari, 409_600, stack=2),
    "ALE/Pong-v5": Task(_atari, 1_024_000, stack=2),
}


def make_env(name: str) -> gym.Env[Any, Any]:
    """Return the environment of a task; its observations are images."""
    return TASKS[name].make(name)
