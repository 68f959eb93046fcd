"""Vector environments of Gymnasium for Tianshou.

`GymnasiumVectorEnv`  Tianshou vector environment over a `gymnasium.vector` environment
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv

from rlpriors.wrappers.tianshou.batched_env import BatchedEnv
from rlpriors.wrappers.tianshou.vector_env import EnvIds, object_array, resolve_env_ids
from rlpriors.wrappers.vector.autoreset import read_autoreset_mode

__all__ = ["GymnasiumVectorEnv"]


class GymnasiumVectorEnv(BatchedEnv):
    """Tianshou vector environment over a batched environment of Gymnasium, in this process, without workers.

    Tianshou's collectors, and with them all its algorithms, run over it.  `TianshouEncodeObservation` and
    `TianshouLearnedReward` wrap it.  The environment resets only when asked to: its autoreset mode is
    DISABLED.

    A collector steps some of the environments at times, but Gymnasium steps all.  The episodes of the others
    are lost then: each of them needs a reset before its next step.

    Raises:
        TypeError: `env` is no vector environment of Gymnasium.
        ValueError: it resets by itself, returns some environments only, or has Dict observations.
        ResetNeeded: `step` is called for an environment whose episode has ended or was lost.

    Example:
        >>> import gymnasium as gym
        >>> inner = gym.vector.SyncVectorEnv(
        ...     [lambda: gym.make("Pendulum-v1")] * 3, autoreset_mode=AutoresetMode.DISABLED)
        >>> envs = GymnasiumVectorEnv(inner)
        >>> obs, _ = envs.reset()
        >>> obs, rewards, *_ = envs.step(np.zeros((2, 1)), [0, 2])
        >>> len(envs), obs.shape, rewards.shape
        (3, (2, 3), (2,))
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, VectorEnv):
            raise TypeError(
                f"`env` must be a vector environment of Gymnasium. Received a {type(env).__name__}; give "
                "functions that make single environments to tianshou.env.DummyVectorEnv."
            )
        super().__init__(env)
        if read_autoreset_mode(env) != AutoresetMode.DISABLED:
            raise ValueError(
                "`env` must not reset by itself, since a collector resets. Received the mode "
                f"{read_autoreset_mode(env)}; create it with autoreset_mode=AutoresetMode.DISABLED."
            )
        if env.single_observation_space.shape is None:
            raise ValueError(
                f"`env` must have arrays as observations. Received {env.single_observation_space}; "
                "flatten them."
            )
        self.vector_env: VectorEnv[Any, Any, Any] = env
        idle = deepcopy(env.single_action_space)
        idle.seed(0)
        self._idle_action = np.asarray(idle.sample())
        self._done = np.zeros(env.num_envs, np.bool_)
        self._started = False

    def set_env_attr(self, key: str, value: Any, id: EnvIds = None) -> None:
        """Raise an error, since the rows of a batched environment have no attributes of their own.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"`key` must be set on the environment of Gymnasium, `vector_env`. Received {key!r} for "
            "single rows."
        )

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Reset the environments `env_id`; None selects all."""
        self._assert_is_not_closed()
        ids = resolve_env_ids(self, env_id)
        with self._guard.reset(ids):
            mask = np.zeros(self.env_num, np.bool_)
            mask[ids] = True
            options = dict(kwargs.pop("options", None) or {})
            if self._started and not mask.all():
                options["reset_mask"] = mask
            obs, info = self.vector_env.reset(options=options, **kwargs)
            self._started = True
            self._done[mask] = False
        return np.array(obs)[ids], _infos(info, ids)

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        ids, given = self._read_step(action, id)
        actions = np.repeat(self._idle_action[None], self.env_num, 0)
        actions[ids] = given.reshape(len(ids), *self._idle_action.shape)
        idle = np.ones(self.env_num, np.bool_)
        idle[ids] = False
        with self._guard.step(ids):
            if (self._done & idle).any():  # which Gymnasium does not step
                self.vector_env.reset(options={"reset_mask": self._done & idle})
            obs, rewards, terminated, truncated, info = self.vector_env.step(actions)
            self._done = np.array(terminated | truncated)
        self._guard.is_current[idle | self._done] = False
        flags = (np.array(part)[ids] for part in (rewards, terminated, truncated))
        return np.array(obs)[ids], *flags, _infos(info, ids)  # type: ignore[return-value]

    def seed(self, seed: int | list[int] | None = None) -> list[list[int] | None]:
        """Seed the environments, which resets them, and the action spaces; a reset has to follow."""
        found = super().seed(seed)
        self.vector_env.reset(seed=seed[0] if isinstance(seed, list) else seed)
        self._started = True
        self._done[:] = False
        self._guard.is_current[:] = False
        return found

    def render(self, **kwargs: Any) -> list[Any]:
        """Return the pictures of the environment."""
        return list(self.vector_env.render() or [])


def _infos(info: Mapping[str, Any], ids: list[int]) -> np.ndarray:
    """Return the entries of each environment, those that its mask does not exclude."""
    names = [name for name in info if not name.startswith("_")]
    rows = [{name: _entry(info[name], i) for name in names if _has(info, name, i)} for i in ids]
    return object_array([{**row, "env_id": i} for row, i in zip(rows, ids, strict=True)])


def _has(info: Mapping[str, Any], name: str, i: int) -> bool:
    mask = info.get(f"_{name}")
    return True if mask is None else bool(mask[i])


def _entry(value: Any, i: int) -> Any:
    return {name: _entry(part, i) for name, part in value.items()} if isinstance(value, Mapping) else value[i]
