"""Cells of the control benchmark: one training each.

`COLUMNS`        columns of the csv
`Cell`           environment, observation, seed and number of steps
`run_cell`       one training, and its learning curve
`LearningCurve`  wrapper that records the returns of a vector environment over steps and seconds
"""

import os
import sys
import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from benchmarks.control.observations import make_encoder
from benchmarks.control.tasks import TASKS, make_env
from rlpriors.agents.online.factory import make_algorithm
from rlpriors.spaces import action_spaces, wrapped_spaces
from rlpriors.training.online import train_online
from rlpriors.wrappers.tianshou import TianshouEncodeObservation
from rlpriors.wrappers.tianshou.vector_env import WrappedSpacesEnv

__all__ = ["COLUMNS", "N_POINTS", "Cell", "LearningCurve", "run_cell"]

COLUMNS = ("env", "algorithm", "observation", "seed", "env_steps", "seconds", "return")
N_POINTS = 20
"""Number of points of a learning curve."""
N_FRAMES = 512
"""Number of frames under random actions to which the scale of the features is fitted."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Id of the environment."""
    observation: str
    """Observation of the agent, a name of `OBSERVATIONS`."""
    seed: int
    """Random seed."""
    env_steps: int
    """Number of steps in all environments together."""

    @property
    def file(self) -> str:
        """Name of the file of the cell's learning curve."""
        names = (self.env, self.observation, f"seed{self.seed}", f"{self.env_steps}steps.json")
        return "-".join(names).replace("/", "_")


class LearningCurve(WrappedSpacesEnv):
    """Wrapper that records returns of finished episodes over steps and CPU seconds.

    A point holds the steps, the CPU seconds of this process since `started`, and the mean return of the
    episodes that finished since the previous point.  It is left out if none has.
    """

    def __init__(self, venv: BaseVectorEnv, started: float, interval: int) -> None:
        super().__init__(venv)
        self.points: list[tuple[int, float, float]] = []
        self.started, self.interval, self.steps, self._next = started, interval, 0, interval
        self._returns, self._finished = np.zeros(len(venv)), list[float]()

    def reset(self, env_id: Any = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        self._returns[slice(None) if env_id is None else env_id] = 0
        return self.venv.reset(env_id, **kwargs)

    def step(
        self, action: Any, id: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        obs, rew, terminated, truncated, infos = self.venv.step(action, id)
        for row, info in enumerate(infos):
            env_id = int(info["env_id"])
            self._returns[env_id] += float(rew[row])
            if terminated[row] or truncated[row]:
                self._finished.append(float(self._returns[env_id]))
        self.steps += len(infos)
        if self.steps >= self._next:
            self._next += self.interval
            if self._finished:
                seconds = time.process_time() - self.started
                self.points.append((self.steps, seconds, float(np.mean(self._finished))))
            self._finished = []
        return obs, rew, terminated, truncated, infos


def random_frames(name: str, seed: int) -> np.ndarray:
    """Return frames of an environment under random actions, [frames, height, width, channels]."""
    env = make_env(name)
    env.action_space.seed(seed)
    frames = [env.reset(seed=seed)[0]]
    while len(frames) < N_FRAMES:
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        frames.append(env.reset()[0] if terminated or truncated else obs)
    env.close()
    return np.stack(frames)


def run_cell(cell: Cell) -> list[tuple[int, float, float]]:
    """Train the agent and return its learning curve: steps, CPU seconds and return.

    Raises:
        ValueError: no episode has finished.
    """
    if sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")
    torch.set_num_threads(1)
    task = TASKS[cell.env]
    encoder = make_encoder(cell.observation, random_frames(cell.env, 10_000 + cell.seed), task.size)
    settings = task.training(cell.env_steps)
    envs = DummyVectorEnv([partial(make_env, cell.env)] * settings.n_envs)
    encoded = TianshouEncodeObservation(envs, encoder, stack=task.stack, cache=4096)
    curve = LearningCurve(encoded, time.process_time(), cell.env_steps // N_POINTS)
    space, action_space = wrapped_spaces(curve).observation, action_spaces(curve)[0]
    algorithm = make_algorithm(space, action_space, task.algorithm, device="cpu", seed=cell.seed)
    train_online(algorithm, curve, settings=settings, seed=cell.seed, progress=False)
    curve.close()
    if not curve.points:
        raise ValueError(f"`env_steps` must be enough for an episode to finish. Received {cell.env_steps}.")
    return curve.points
