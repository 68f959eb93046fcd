"""Games of the self-prediction benchmark, and the lengths of their trainings.

`METHODS`     weight of self-prediction and use of augmentation
`Task`        game, network and lengths of a training
`TASKS`       tasks by name
`make_task`   environment of a task
`make_agent`  agent of a method
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import gymnasium as gym
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents import SelfPredictionSettings, SelfPredictiveC51, make_pixel_policy
from rlpriors.envs import make_env
from rlpriors.training.online_settings import OnlineSettings

__all__ = ["METHODS", "TASKS", "Method", "Task", "make_agent", "make_task"]


class Method(NamedTuple):
    """Parts of SPR."""

    weight: float
    """Weight of self-prediction."""
    augments: bool
    """True if frames are augmented."""


METHODS = {
    "self-prediction": Method(2.0, True),
    "augmentation": Method(0.0, True),
    "plain": Method(0.0, False),
    "self-prediction, plain frames": Method(2.0, False),
}
"""SPR, the same without self-prediction, C51 alone, and self-prediction with a moving average for targets."""


class Task(NamedTuple):
    """One game, and the training that all methods share."""

    env_id: str
    """Id of the environment."""
    env: dict[str, Any]
    """Arguments of the environment."""
    channels_last: bool
    """True for frames with their channels last."""
    layers: Sequence[Sequence[int]]
    """Channels, kernel size and stride of each convolution."""
    hidden: int
    """Width of the value heads."""
    returns: tuple[float, float]
    """Lowest and highest return of the distribution."""
    n_step: int
    """Number of rewards in a target."""
    target_update_interval: int
    """Number of updates between copies to the target network."""
    lr: float
    """Learning rate."""
    shift: int
    """Largest shift of the augmentation in pixels."""
    training: OnlineSettings
    """Lengths of the training."""

    def quick(self, env_steps: int) -> OnlineSettings:
        """Return the settings of a training of `env_steps` steps."""
        random_steps = min(self.training.random_steps, env_steps // 2)
        return replace(self.training, env_steps=env_steps, random_steps=random_steps)


TASKS = {
    "catch": Task(
        "Catch-v0",
        {"rows": 8, "columns": 5, "pixels": 20},
        True,
        ((16, 4, 2), (16, 3, 1)),
        64,
        (-1.0, 1.0),
        3,
        50,
        1e-3,
        1,
        OnlineSettings(
            env_steps=2000, n_envs=1, random_steps=100, collect_steps=2, update_per_step=0.5, batch_size=32
        ),
    ),
    "catch-84": Task(
        "Catch-v0",
        {"rows": 10, "columns": 5, "pixels": 84},
        True,
        ((16, 8, 4), (32, 4, 2), (32, 3, 1)),
        64,
        (-1.0, 1.0),
        3,
        50,
        1e-3,
        4,
        OnlineSettings(
            env_steps=3000, n_envs=1, random_steps=100, collect_steps=2, update_per_step=0.5, batch_size=32
        ),
    ),
    "pong": Task(
        "ALE/Pong-v5",
        {"frameskip": 1, "repeat_action_probability": 0.0},
        False,
        ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
        256,
        (-10.0, 10.0),
        10,
        1,
        1e-4,
        4,
        OnlineSettings(
            env_steps=100_000,
            n_envs=1,
            random_steps=2000,
            collect_steps=1,
            update_per_step=2.0,
            batch_size=32,
        ),
    ),
}
"""Catch of 8 x 5 cells in 20 x 20 pixels, and of 10 x 5 cells in the 84 x 84 pixels of Atari frames; Pong,
for 100,000 steps, which needs a GPU."""


def make_task(name: str) -> gym.Env[Any, Any]:
    """Return the environment of a task; Atari games have four gray frames of 84 x 84 pixels."""
    task = TASKS[name]
    env = make_env(task.env_id, **task.env)
    if not task.env_id.startswith("ALE/"):
        return env
    frames = gym.wrappers.AtariPreprocessing(env, noop_max=30, terminal_on_life_loss=True)
    return gym.wrappers.FrameStackObservation(gym.wrappers.ClipReward(frames, -1.0, 1.0), 4)


def make_agent(name: str, method: Method, device: str, seed: int) -> SelfPredictiveC51:
    """Return the agent of a method."""
    task, env = TASKS[name], make_task(name)
    policy = make_pixel_policy(
        env.observation_space,
        env.action_space,
        channels_last=task.channels_last,
        layers=task.layers,
        hidden=task.hidden,
        v_min=task.returns[0],
        v_max=task.returns[1],
        exploration=0.1,
        device=device,
        seed=seed,
    )
    settings = SelfPredictionSettings(
        weight=method.weight,
        shift=task.shift if method.augments else 0,
        intensity=0.05 if method.augments else 0.0,
    )
    return SelfPredictiveC51(
        policy=policy,
        optim=AdamOptimizerFactory(lr=task.lr),
        settings=settings,
        n_step=task.n_step,
        target_update_interval=task.target_update_interval,
        seed=seed,
    )
