"""Observation and action spaces of environments, wrappers included.

`Spaces`          observation space and action space of one environment
`wrapped_spaces`  spaces of an environment, a vector environment or a Tianshou vector environment
`action_spaces`   action space of each environment of a Tianshou vector environment
`same_actions`    comparison of two action spaces by the actions that they contain

Tianshou's `DummyVectorEnv.action_space` reads the unwrapped environments and ignores their wrappers.  These
functions replace it wherever actions are sampled, scaled or checked.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

__all__ = ["Spaces", "action_spaces", "same_actions", "wrapped_spaces"]


class Spaces(NamedTuple):
    """Spaces of one environment."""

    observation: gym.Space[Any]
    """Observation space."""
    action: gym.Space[Any]
    """Action space."""


def wrapped_spaces(env: Any) -> Spaces:
    """Return the observation and the action space of a single environment, wrappers included.

    Args:
        env: an environment, a vector environment of Gymnasium, or one of Tianshou (dummy, subprocess, shared
            memory, Ray), with or without wrappers around it.

    Raises:
        TypeError: `env` has no spaces.

    Example:
        >>> from tianshou.env import DummyVectorEnv
        >>> def make_env():
        ...     env = gym.make("Pendulum-v1")  # torques in -2..2
        ...     return gym.wrappers.RescaleAction(env, np.float32(0), np.float32(1))
        >>> envs = DummyVectorEnv([make_env])
        >>> envs.action_space[0], wrapped_spaces(envs).action
        (Box(-2.0, 2.0, (1,), float32), Box(0.0, 1.0, (1,), float32))
    """
    return Spaces(_space(env, "observation_space"), _space(env, "action_space"))


def action_spaces(envs: Any) -> list[gym.Space[Any]]:
    """Return the action space of each environment of a Tianshou vector environment, wrappers included.

    Each environment has its own space object, whose samples depend on the seed of this environment.
    """
    inner = envs
    while "workers" not in vars(inner):  # wrappers, or an environment without workers (EnvPool)
        if "single_action_space" in vars(inner):
            return [vars(inner)["single_action_space"]] * len(envs)
        inner = inner.venv
    return [_space_of_worker(worker, "action_space") for worker in inner.workers]


def same_actions(first: gym.Space[Any], second: gym.Space[Any]) -> bool:
    """Return True if two spaces contain the same actions.

    The bounds of boxes may differ by rounding, and discrete actions may be integers of any type.
    """
    if isinstance(first, gym.spaces.Box) and isinstance(second, gym.spaces.Box):
        return first.shape == second.shape and bool(
            np.allclose(first.low, second.low, rtol=1e-5) and np.allclose(first.high, second.high, rtol=1e-5)
        )
    if isinstance(first, gym.spaces.Discrete) and isinstance(second, gym.spaces.Discrete):
        return bool(first.n == second.n and first.start == second.start)
    if isinstance(first, gym.spaces.MultiDiscrete) and isinstance(second, gym.spaces.MultiDiscrete):
        return np.array_equal(first.nvec, second.nvec) and np.array_equal(first.start, second.start)
    return bool(first == second)


def _space(env: Any, name: str) -> gym.Space[Any]:
    # A wrapper of Tianshou that changes a space holds the new one as `single_<name>`; every other
    # vector environment of Tianshou answers for its unwrapped environments.
    members = getattr(env, "__dict__", {})
    while "venv" in members and f"single_{name}" not in members:
        env = env.venv
        members = getattr(env, "__dict__", {})
    workers: Sequence[Any] | None = members.get("workers")
    if workers is not None:
        return _space_of_worker(workers[0], name)
    for attribute in (f"single_{name}", name):
        space = getattr(env, attribute, None)
        if isinstance(space, gym.Space):
            return space
    raise TypeError(
        "`env` must be an environment of Gymnasium, or a vector environment of Gymnasium or Tianshou. "
        f"Received a {type(env).__name__} without `{name}`."
    )


def _space_of_worker(worker: Any, name: str) -> gym.Space[Any]:
    # A dummy worker's own `action_space` is the unwrapped one, and its `env` the wrapped environment.
    # Workers in other processes hold a copy of the wrapped action space, which their `seed` seeds.
    for owner in (getattr(worker, "env", None), worker):
        space = getattr(owner, name, None)
        if isinstance(space, gym.Space):
            return space
    remote: gym.Space[Any] = worker.get_env_attr(name)
    return remote
