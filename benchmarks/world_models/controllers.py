"""Scripted controllers that read observations, and policies that mix them with random actions.

`swing_up`          energy control of Pendulum
`balance`           linear feedback of InvertedDoublePendulum
`push_cart`         linear feedback of CartPole
`NoisyController`   policy of a controller whose actions are partly random
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol

from rlpriors.envs.control_experts import _double_pendulum_gain

__all__ = ["Controller", "NoisyController", "balance", "push_cart", "swing_up"]

Controller = Callable[[Float[np.ndarray, "batch obs"]], Float[np.ndarray, "batch act"]]


def swing_up(obs: Float[np.ndarray, "batch 3"], energy: float = 5.0) -> Float[np.ndarray, "batch 1"]:
    """Return torques that pump the pendulum to an energy, by default that of rest at the top."""
    angle, speed = np.arctan2(obs[:, 1], obs[:, 0]), obs[:, 2]
    missing = energy - (speed**2 / 6 + 5 * obs[:, 0])
    pump = 2 * np.sign(missing * np.where(speed == 0, 1.0, speed))
    torque = np.where(np.abs(angle) < 0.3, -10 * angle - 2 * speed, pump)
    return np.asarray(torque)[:, None]


def balance(obs: Float[np.ndarray, "batch 9"]) -> Float[np.ndarray, "batch 1"]:
    """Return forces of the linear-quadratic regulator that holds both poles upright."""
    angles = np.arctan2(obs[:, 1:3], obs[:, 3:5])
    state = np.concatenate([obs[:, :1], angles, obs[:, 5:8]], 1)
    return np.asarray(-state @ _double_pendulum_gain(5).T)


def push_cart(
    obs: Float[np.ndarray, "batch 4"], weights: tuple[float, ...] = (0.05, 0.1, 1.0, 0.5)
) -> Float[np.ndarray, "batch 1"]:
    """Return positive numbers to push the cart to the right, by the weighted sum of the observation."""
    return (obs @ np.array(weights))[:, None]


class NoisyController(Policy):
    """Policy of a controller: its action times `scale`, and a uniformly random one with probability `noise`.

    Actions of a Discrete space are intervals of the controller's output of width 1, with their middle at 0.
    For two actions, the output's sign decides.  For three actions, -0.5 and 0.5 are the bounds.
    """

    def __init__(
        self, space: gym.Space[Any], controller: Controller, noise: float = 0.0, scale: float = 1.0
    ) -> None:
        super().__init__(action_space=space, action_scaling=False, action_bound_method=None)
        self.space, self.controller, self.noise, self.scale = space, controller, noise, scale
        self.reseed(0)

    def reseed(self, seed: int) -> None:
        """Restart the random actions from `seed`."""
        self.rng = np.random.default_rng(seed)

    def forward(self, batch: ObsBatchProtocol, state: Any = None, **kwargs: Any) -> ModelOutputBatchProtocol:
        """Return one action for each row of the observations."""
        obs = np.asarray(batch.obs, np.float64)
        chosen = self.scale * self.controller(obs)
        is_random = self.rng.random((len(obs), 1)) < self.noise
        if isinstance(self.space, gym.spaces.Box):
            low, high = self.space.low, self.space.high
            drawn = self.rng.uniform(low, high, chosen.shape)
            act = np.where(is_random, drawn, np.clip(chosen, low, high)).astype(np.float32)
        else:
            n = int(cast(gym.spaces.Discrete, self.space).n)
            index = np.clip(np.ceil(chosen + n / 2) - 1, 0, n - 1)
            act = np.where(is_random, self.rng.integers(n, size=chosen.shape), index)[:, 0].astype(np.int64)
        return cast(ModelOutputBatchProtocol, Batch(act=act, logits=act, state=None))


low_energy: Controller = partial(swing_up, energy=0.0)
"""A controller that holds the pendulum's energy at that of rest at the side."""
angle_only: Controller = partial(push_cart, weights=(0.0, 0.0, 1.0, 0.0))
"""A controller of CartPole that reads the angle of the pole and no speed."""
speed_only: Controller = partial(push_cart, weights=(0.0, 0.0, 0.0, 1.0))
"""A controller of CartPole that reads the speed of the pole only."""
cart_only: Controller = partial(push_cart, weights=(-1.0, -1.0, 0.0, 0.0))
"""A controller of CartPole that pushes the cart to the middle and ignores the pole."""
