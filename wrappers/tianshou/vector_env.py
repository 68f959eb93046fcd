"""Environment indices, spaces and batched observations of Tianshou's vector environments.

`EnvIds`           type of Tianshou's argument that selects environments
`resolve_env_ids`  indices of the selected environments
`returned_ids`     indices of the environments that a step returned
`WrappedSpacesEnv` base of wrappers whose spaces include the wrappers of the environments
`object_array`     one-dimensional object array, as Tianshou batches dictionaries
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tianshou.env import BaseVectorEnv, VectorEnvWrapper

from rlpriors.spaces import action_spaces, wrapped_spaces

__all__ = ["EnvIds", "WrappedSpacesEnv", "object_array", "resolve_env_ids", "returned_ids"]

EnvIds = int | list[int] | np.ndarray | None


def resolve_env_ids(venv: BaseVectorEnv, env_id: EnvIds) -> list[int]:
    """Return the indices of the environments that `env_id` selects; None selects all."""
    if env_id is None:
        return list(range(len(venv)))
    return [int(i) for i in np.atleast_1d(env_id)]


def returned_ids(infos: Iterable[Any]) -> list[int]:
    """Return the indices of the environments that a step returned, in the order of its rows.

    A step may cover some environments only, and with `wait_num` it may return others.
    """
    return [int(info["env_id"]) for info in infos]


class WrappedSpacesEnv(VectorEnvWrapper):
    """Base of this library's wrappers of Tianshou vector environments: their spaces include all wrappers.

    `observation_space` and `action_space` are lists with one space per environment, as in Tianshou.  A
    collector samples its random steps from `action_space`.  `DummyVectorEnv` alone answers for the unwrapped
    environments, so that their random actions ignore wrappers such as `TransformAction`.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> def make_env():
        ...     env = gym.make("Pendulum-v1")
        ...     return gym.wrappers.RescaleAction(env, np.float32(0), np.float32(1))
        >>> WrappedSpacesEnv(DummyVectorEnv([make_env])).action_space
        [Box(0.0, 1.0, (1,), float32)]
    """

    def __getattribute__(self, key: str) -> Any:
        if key == "action_space":
            return action_spaces(self)
        if key == "observation_space":
            return [wrapped_spaces(self).observation] * len(self)
        return super().__getattribute__(key)

    def seed(self, seed: int | list[int] | None = None) -> list[list[int] | None]:
        """Seed the environments and their action spaces, wrappers included."""
        seeds = self.venv.seed(seed)
        each = [seed] * len(self) if seed is None else seed
        for i, space in enumerate(action_spaces(self)):
            space.seed(each + i if isinstance(each, int) else each[i])
        return seeds


def object_array(items: Sequence[Any]) -> np.ndarray:
    """Return the items as a one-dimensional object array."""
    array = np.empty(len(items), object)
    array[:] = items
    return array
