"""Environments of the benchmark of learned worlds: rewards as functions, policies and data.

`Task`          environment with its reward, its policies and its expert
`TASKS`         tasks by name
`record`        episodes of some noise levels of the expert
`action_errors` squared difference of the actions of policies to those of data
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import Batch
from torch import Tensor

from benchmarks.world_models.catch_frames import follow_ball, go_left, make_catch
from benchmarks.world_models.controllers import (
    Controller,
    NoisyController,
    angle_only,
    balance,
    cart_only,
    low_energy,
    push_cart,
    speed_only,
    swing_up,
)
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["HORIZON", "TASKS", "Task", "action_errors", "record"]

HORIZON = 100
"""Number of steps of an episode, in the simulator and in the model."""


class Task(NamedTuple):
    """Environment with its reward as a function of observations, its policies and its expert."""

    make: Callable[[], gym.Env[Any, Any]]
    """Function that returns the environment, with episodes of at most `HORIZON` steps."""
    reward: RewardFn | None
    """Reward of the environment; None if it is learned from the data."""
    expert: Controller
    """Controller that solves the task."""
    variants: Mapping[str, tuple[Controller, float, float]]
    """Controller, noise and scale of each further policy."""

    def policies(self) -> dict[str, NoisyController]:
        """Return the policies to rank: noisy experts, and the variants."""
        space = self.make().action_space
        noisy = {f"noise {p:g}": NoisyController(space, self.expert, p) for p in NOISES}
        return {**noisy, **{name: NoisyController(space, *parts) for name, parts in self.variants.items()}}


NOISES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Probabilities of a random action of the noisy experts."""
LEVELS = tuple(np.linspace(0, 1, 10))
"""Probabilities of a random action in the diverse data."""


def pendulum_reward(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Compute the reward of Pendulum from its observations."""
    angle = torch.atan2(obs[:, 1], obs[:, 0])
    return -(angle.square() + 0.1 * obs[:, 2].square() + 0.001 * act[:, 0].square())


def double_pendulum_reward(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Compute the reward of InvertedDoublePendulum from its observations: tip, speeds and termination."""
    first, second = torch.atan2(obs_next[:, 1:3], obs_next[:, 3:5]).unbind(1)
    x = obs_next[:, 0] + 0.6 * (torch.sin(first) + torch.sin(first + second))
    y = 0.6 * (torch.cos(first) + torch.cos(first + second))
    speeds = 1e-3 * obs_next[:, 6].square() + 5e-3 * obs_next[:, 7].square()
    return 10.0 * ~terminated - 0.01 * x.square() - (y - 2).square() - speeds


def upright(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the reward of CartPole, 1 for each step."""
    return torch.ones(len(obs))


TASKS = {
    "pendulum": Task(
        partial(gym.make, "Pendulum-v1", max_episode_steps=HORIZON),
        pendulum_reward,
        swing_up,
        {
            "scale 0.25": (swing_up, 0.0, 0.25),
            "scale 0.5": (swing_up, 0.0, 0.5),
            "reversed": (swing_up, 0.0, -1.0),
            "low energy": (low_energy, 0.0, 1.0),
            "low energy, noise 0.5": (low_energy, 0.5, 1.0),
        },
    ),
    "double-pendulum": Task(
        partial(gym.make, "InvertedDoublePendulum-v5", max_episode_steps=HORIZON),
        double_pendulum_reward,
        balance,
        {
            "scale 0.25": (balance, 0.0, 0.25),
            "scale 0.5": (balance, 0.0, 0.5),
            "scale 2": (balance, 0.0, 2.0),
            "scale 4": (balance, 0.0, 4.0),
            "reversed": (balance, 0.0, -1.0),
        },
    ),
    "cart-pole": Task(
        partial(gym.make, "CartPole-v1", max_episode_steps=HORIZON),
        upright,
        push_cart,
        {
            "angle only": (angle_only, 0.0, 1.0),
            "speed only": (speed_only, 0.0, 1.0),
            "cart only": (cart_only, 0.0, 1.0),
            "angle only, noise 0.5": (angle_only, 0.5, 1.0),
            "reversed": (push_cart, 0.0, -1.0),
        },
    ),
    "catch-frames": Task(
        make_catch,
        None,
        follow_ball,
        {
            "left side only": (partial(follow_ball, to_right=False), 0.0, 1.0),
            "last row only": (partial(follow_ball, first_row=8), 0.0, 1.0),
            "stay": (follow_ball, 0.0, 0.0),
            "left": (go_left, 0.0, 1.0),
            "reversed": (follow_ball, 0.0, -1.0),
        },
    ),
}
"""Swing-up of a pendulum, balance of a double pendulum and of a pole on a cart, and Catch from its frames;
the last two terminate."""


def record(task: Task, levels: Sequence[float], n_steps: int, seed: int) -> EpisodeStore:
    """Return at least `n_steps` steps of the expert, equally many for each probability of a random action."""
    space = task.make().action_space
    episodes = []
    for number, noise in enumerate(levels):
        policy, found, batch = NoisyController(space, task.expert, noise), 0, 0
        while found < n_steps / len(levels):
            store = evaluate_policy(policy, task.make, 2, seed=10_000 * (seed + 1) + 100 * number + batch)
            episodes += [store.episode(i) for i in range(store.n_episodes)]
            found, batch = found + store.n_steps, batch + 1
    return EpisodeStore.from_episodes(episodes, action_space=space)


def action_errors(
    policies: Mapping[str, NoisyController], data: EpisodeStore
) -> Float[np.ndarray, " policies"]:
    """Return the mean squared difference of each policy's actions to those of the data, in their states."""
    transitions = data.transitions()
    batch = partial(Batch, obs=transitions.obs.numpy(), info={})
    act = transitions.act.numpy()
    played = (policy(batch()).act.reshape(act.shape) for policy in policies.values())
    return np.array([float(np.square(other - act).mean()) for other in played])
