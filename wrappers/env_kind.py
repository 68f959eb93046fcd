"""Check that a wrapper receives the kind of environment that it is made for.

`check_env_kind`  error that names the twin for another kind
"""

from typing import Any, Literal

import gymnasium as gym
from gymnasium.vector import VectorEnv

__all__ = ["check_env_kind"]

Kind = Literal["", "Vector", "Tianshou"]
CLASSES: dict[Kind, str] = {
    "": "an environment (gymnasium.Env)",
    "Vector": "a vector environment of Gymnasium (gymnasium.vector.VectorEnv)",
    "Tianshou": "a vector environment of Tianshou (tianshou.env.BaseVectorEnv)",
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


def _kind(env: Any) -> Kind | None:
    if isinstance(env, gym.Env):
        return ""
    if isinstance(env, VectorEnv):
        return "Vector"
    # Tianshou is not imported here.
    bases = {(base.__module__.split(".")[0], base.__name__) for base in type(env).__mro__}
    return "Tianshou" if ("tianshou", "BaseVectorEnv") in bases else None
