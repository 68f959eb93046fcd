"""Environment indices, spaces and batched observations of Tianshou's vector environments.

`EnvIds`           type of Tianshou's argument that selects environments
`resolve_env_ids`  indices of the selected environments
`returned_ids`     indices of the environments that a step returned
`wrapped_space`    space of a single environment, wrappers included
`object_array`     one-dimensional object array, as Tianshou batches dictionaries
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tianshou.env import BaseVectorEnv, VectorEnvWrapper

__all__ = ["EnvIds", "object_array", "resolve_env_ids", "returned_ids", "wrapped_space"]

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


def wrapped_space(venv: BaseVectorEnv, name: str) -> Any:
    """Return the "observation_space" or "action_space" of a single environment, wrappers included.

    A wrapper around the vector environment that changes a space holds the new space as
    `single_observation_space` or `single_action_space`.
    """
    while isinstance(venv, VectorEnvWrapper):
        if f"single_{name}" in vars(venv):
            return vars(venv)[f"single_{name}"]
        venv = venv.venv
    worker = venv.workers[0]
    # A dummy worker returns the attribute of the unwrapped environment and ignores its wrappers.
    env = getattr(worker, "env", None)
    return worker.get_env_attr(name) if env is None else getattr(env, name)


def object_array(items: Sequence[Any]) -> np.ndarray:
    """Return the items as a one-dimensional object array."""
    array = np.empty(len(items), object)
    array[:] = items
    return array
