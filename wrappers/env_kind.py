"""Check that a wrapper receives the kind of environment that it is made for.

`check_env_kind`    error that names the twin for another kind
`check_full_batch`  error for a vector environment that returns some of its environments at each step
`envpool_config`    configuration of an environment of EnvPool
"""

from collections.abc import Mapping
from typing import Any, Literal

import gymnasium as gym
from gymnasium.vector import VectorEnv

__all__ = ["check_env_kind", "check_full_batch", "envpool_config"]

Kind = Literal["", "Vector", "Tianshou", "Tensor"]
CLASSES: dict[Kind, str] = {
    "": "an environment (gymnasium.Env)",
    "Vector": "a vector environment of Gymnasium (gymnasium.vector.VectorEnv)",
    "Tianshou": "a vector environment of Tianshou (tianshou.env.BaseVectorEnv)",
    "Tensor": "an environment of tensors with num_envs copies (is_vector_env)",
}
"""Class of environments of each kind; the kind is the prefix of its wrappers."""


def check_env_kind(env: Any, name: str, kind: Kind, argument: str = "env") -> None:
    """Check that `env` fits the wrapper `kind + name`.

    Raises:
        TypeError: it does not; the message names the twin that does.

    Example:
        >>> check_env_kind(gym.make("CartPole-v1"), "LearnedReward", "")
    """
    found = _kind(env)
    if found == kind:
        return
    remedy = f"use {found}{name}" if found is not None else "convert it, or wrap its environments one by one"
    raise TypeError(
        f"`{argument}` of {kind}{name} must be {CLASSES[kind]}. Received a {type(env).__name__}; {remedy}."
    )


def check_full_batch(env: VectorEnv[Any, Any, Any]) -> None:
    """Check that a vector environment returns all its environments at each step.

    Raises:
        ValueError: it is asynchronous (ale_py, EnvPool).
    """
    config = envpool_config(env) or {}
    batch_size = getattr(env.unwrapped, "batch_size", config.get("batch_size", env.num_envs))
    if batch_size != env.num_envs:
        remedy = (
            f"leave batch_size out, or set it to {env.num_envs}" if config else "create it with batch_size=0"
        )
        raise ValueError(
            f"`env` must return all its {env.num_envs} environments at each step. Received one that "
            f"returns {batch_size} of them; {remedy}."
        )


def envpool_config(env: Any) -> Mapping[str, Any] | None:
    """Return the configuration of an environment of EnvPool, wrapped or not; None for other environments.

    EnvPool is not imported.
    """
    env = getattr(env, "unwrapped", env)
    if any(base.__module__.split(".")[0] == "envpool" for base in type(env).__mro__):
        return dict(env.config)
    return None


def _kind(env: Any) -> Kind | None:
    if isinstance(env, VectorEnv):  # before gymnasium.Env: EnvPool's environments are both
        return "Vector"
    # Isaac Lab and mjlab set the attribute on environments that are no VectorEnv.
    if getattr(getattr(env, "unwrapped", env), "is_vector_env", False):
        return "Tensor"
    if isinstance(env, gym.Env):
        return ""
    # Tianshou is not imported here.
    bases = {(base.__module__.split(".")[0], base.__name__) for base in type(env).__mro__}
    return "Tianshou" if ("tianshou", "BaseVectorEnv") in bases else None
