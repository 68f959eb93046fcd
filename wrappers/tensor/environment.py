"""Attributes of environments that step many copies as one batch of tensors.

`find_attribute`    attribute of an environment or of one inside its wrappers
`find_device`       device of an environment's tensors
`find_mode`         autoreset mode of an environment
`gymnasium_space`   space of Gymnasium for a space of another library

These environments are subclasses of `gymnasium.Env` (Isaac Lab, ManiSkill), of `gymnasium.vector.VectorEnv`,
or of neither (mjlab).
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode

from rlpriors.device import resolve_device

__all__ = ["find_attribute", "find_device", "find_mode", "gymnasium_space"]


def find_attribute(env: Any, name: str) -> Any:
    """Return the attribute of the outermost wrapper that has it; None if none has it.

    Example:
        >>> env = gym.make("CartPole-v1")
        >>> find_attribute(env, "force_mag"), find_attribute(env, "num_envs")
        (10.0, None)
    """
    while env is not None:
        found = getattr(env, name, None)
        if found is not None:
            return found
        inner = getattr(env, "env", None)
        env = inner if inner is not None and inner is not env else None
    return None


def find_device(env: Any, device: str | torch.device = "auto") -> torch.device:
    """Return the device of an environment's tensors, with its index; "auto" reads the attribute `device`.

    Raises:
        ValueError: the environment names no device, or this machine lacks the device.
    """
    if device == "auto":
        device = find_attribute(env, "device")
        if not isinstance(device, str | torch.device):
            raise ValueError(
                '`device` must name the device of the tensors, such as "cuda:0". Received "auto" '
                f"for a {type(env).__name__} without an attribute `device`."
            )
    return torch.empty(0, device=resolve_device(device)).device


def find_mode(env: Any, mode: AutoresetMode | None = None) -> AutoresetMode:
    """Return the autoreset mode of an environment.

    It is the one in `env.metadata["autoreset_mode"]`; else SAME_STEP or DISABLED by the attribute
    `auto_reset` (ManiSkill) or `cfg.auto_reset` (mjlab); else SAME_STEP for an environment with
    `is_vector_env` (Isaac Lab).  `mode` is for other environments.

    Raises:
        ValueError: the environment declares no mode and `mode` is None, or it declares another one.

    Example:
        >>> find_mode(gym.make_vec("CartPole-v1", num_envs=2)).name
        'NEXT_STEP'
    """
    declared = _declared_mode(env)
    if mode is not None and declared not in (None, mode):
        raise ValueError(
            f"`autoreset_mode` must be {declared}, which {type(env).__name__} declares. Received {mode}; "
            "remove the argument."
        )
    found = declared if mode is None else mode
    if found is None:
        raise ValueError(
            "`autoreset_mode` must be a gymnasium.vector.AutoresetMode, since "
            f"{type(env).__name__} declares none. Received None; SAME_STEP is a reset inside the step that "
            "ends an episode, and DISABLED none."
        )
    return AutoresetMode(found)


def gymnasium_space(space: Any, name: str) -> gym.Space[Any]:
    """Return a space of Gymnasium; spaces with the fields of Box or Dict (mjlab) are converted.

    Raises:
        ValueError: the space has neither; `name` is the attribute that holds it.

    Example:
        >>> from types import SimpleNamespace
        >>> gymnasium_space(SimpleNamespace(shape=(2,), low=-1.0, high=1.0, dtype="float32"), "space")
        Box(-1.0, 1.0, (2,), float32)
    """
    if isinstance(space, gym.Space):
        return space
    inner, shape = getattr(space, "spaces", None), getattr(space, "shape", None)
    if isinstance(inner, Mapping):
        return gym.spaces.Dict({key: gymnasium_space(one, name) for key, one in inner.items()})
    bounds = [getattr(space, bound, None) for bound in ("low", "high")]
    if shape is None or None in bounds:
        raise ValueError(
            f"`env.{name}` must be a space of Gymnasium, or have the fields of its Box or Dict. Received "
            f"{space!r}; pass the space as an argument, or set it on the environment."
        )
    dtype = np.dtype(getattr(space, "dtype", None) or np.float32)
    low, high = (np.broadcast_to(np.asarray(bound, dtype), shape).copy() for bound in bounds)
    return gym.spaces.Box(low, high, tuple(shape), dtype.type)


def _declared_mode(env: Any) -> Any:
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode")
    if mode is not None:
        return mode
    auto_reset = find_attribute(env, "auto_reset")
    if auto_reset is None:
        auto_reset = getattr(find_attribute(env, "cfg"), "auto_reset", None)
    if isinstance(auto_reset, bool):
        return AutoresetMode.SAME_STEP if auto_reset else AutoresetMode.DISABLED
    return AutoresetMode.SAME_STEP if find_attribute(env, "is_vector_env") is True else None
