"""Arguments of an environment, shared by the commands.

`EnvArgs`  id and arguments of an environment
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    import gymnasium as gym

from rlpriors.settings import check_fields

__all__ = ["EnvArgs"]


@dataclass(frozen=True, kw_only=True)
class EnvArgs:
    """Id and arguments of an environment."""

    env: str
    """Id of the environment, such as Reacher-v5; "module:Id-v0" imports the module first, also from the
    current folder."""

    env_args: str = "{}"
    """Further arguments of gymnasium.make as JSON: '{"continuing_task": true}'."""

    max_episode_steps: int | None = None
    """Number of steps after which an episode is truncated; the environment's own by default."""

    def __post_init__(self) -> None:
        check_fields(self)
        try:
            arguments = json.loads(self.env_args)
        except json.JSONDecodeError as error:
            raise ValueError(f"`env_args` must be JSON. Received {self.env_args!r} ({error}).") from error
        if not isinstance(arguments, dict):
            raise ValueError(f"`env_args` must be a JSON object, {{...}}. Received {self.env_args!r}.")
        if self.max_episode_steps is not None and self.max_episode_steps < 1:
            raise ValueError(f"`max_episode_steps` must be at least 1. Received {self.max_episode_steps}.")

    @property
    def env_name(self) -> str:
        """Name of the environment in names of folders."""
        return self.env.rpartition(":")[2].replace("/", "-")

    @property
    def env_flags(self) -> str:
        """Flags that give another command the same environment."""
        words = ["--env", self.env]
        if json.loads(self.env_args):
            words += ["--env-args", self.env_args]
        if self.max_episode_steps is not None:
            words += ["--max-episode-steps", str(self.max_episode_steps)]
        return shlex.join(words)

    def env_arguments(self) -> dict[str, Any]:
        """Return the arguments of `make_env`."""
        arguments: dict[str, Any] = json.loads(self.env_args)
        if self.max_episode_steps is not None:
            arguments["max_episode_steps"] = self.max_episode_steps
        return arguments

    def env_maker(self) -> "Callable[..., gym.Env[Any, Any]]":
        """Return a function that makes the environment."""
        from rlpriors.envs.make import make_env

        return partial(make_env, self.env, **self.env_arguments())
