"""Environments of EnvPool for Tianshou.

`EnvPoolVectorEnv`  Tianshou vector environment over an environment of EnvPool
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from rlpriors.wrappers.env_kind import envpool_config
from rlpriors.wrappers.tianshou.batched_env import BatchedEnv
from rlpriors.wrappers.tianshou.vector_env import EnvIds, object_array, resolve_env_ids

__all__ = ["EnvPoolVectorEnv"]


class EnvPoolVectorEnv(BatchedEnv):
    """Tianshou vector environment over `envpool.make(..., env_type="gymnasium")`.

    Tianshou's collectors, and with them all its algorithms, run over EnvPool's threads, in this process and
    without workers.  `TianshouEncodeObservation` and `TianshouLearnedReward` wrap it.

    EnvPool starts the next episode at the step after the end of an episode.  A collector resets such an
    environment first, so that this never happens.  Each info holds EnvPool's arrays by environment, such as
    the console's `ram` of Atari games.

    EnvPool takes its seed in `envpool.make`.  `seed` seeds the action spaces only, from which collectors draw
    random actions.

    Raises:
        TypeError: `env` is no environment of EnvPool for Gymnasium.
        ValueError: it returns only some environments at each step (`batch_size`).
        ResetNeeded: `step` is called for an environment whose episode has ended.

    Example:
        >>> def make():  # pip install envpool
        ...     import envpool
        ...     return EnvPoolVectorEnv(envpool.make("Pong-v5", env_type="gymnasium", num_envs=8))
    """

    def __init__(self, env: Any) -> None:
        if not isinstance(env, VectorEnv) or envpool_config(env) is None:
            raise TypeError(
                "`env` must be an environment of EnvPool for Gymnasium: envpool.make(..., "
                f'env_type="gymnasium"). Received a {type(env).__name__}.'
            )
        super().__init__(env)
        self.envpool: Any = env

    def set_env_attr(self, key: str, value: Any, id: EnvIds = None) -> None:
        """Raise an error, since EnvPool's environments have no attributes of their own.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"`key` must be a setting of `envpool.make`, which cannot change. Received {key!r}; make a new "
            "environment."
        )

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Reset the environments `env_id`; None selects all."""
        self._assert_is_not_closed()
        ids = resolve_env_ids(self, env_id)
        with self._guard.reset(ids):
            obs, info = self.envpool.reset(np.array(ids, np.int32), **kwargs)
            rows = _rows(info, ids)
            return _batch_obs(obs, rows), _infos(info, rows)

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        ids, actions = self._read_step(action, id)
        actions = actions.astype(self.single_action_space.dtype, copy=False)
        with self._guard.step(ids):
            results = self.envpool.step(actions, np.array(ids, np.int32))
            obs, *numbers, info = results
            rows = _rows(info, ids)
            rewards, terminated, truncated = (values[rows] for values in numbers)
        # EnvPool would start the next episode at the next step, without a transition.
        self._guard.is_current[np.array(ids)[terminated | truncated]] = False
        return _batch_obs(obs, rows), rewards, terminated, truncated, _infos(info, rows)

    def render(self, **kwargs: Any) -> list[Any]:
        """Raise an error, since EnvPool renders its environments otherwise.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "`render` must be that of the environment of EnvPool. Received a call; use `envpool`."
        )


def _rows(info: Mapping[str, Any], ids: list[int]) -> np.ndarray:
    """Return the row of each environment in EnvPool's results, which may have another order."""
    found = info["env_id"].tolist()
    return np.array([found.index(i) for i in ids])


def _batch_obs(obs: Any, rows: np.ndarray) -> np.ndarray:
    if not isinstance(obs, Mapping):
        batch: np.ndarray = obs[rows]  # a copy: EnvPool may write to its own array again
        return batch
    return object_array([_entries(obs, row) for row in rows])  # as Tianshou batches Dict observations


def _infos(info: Mapping[str, Any], rows: np.ndarray) -> np.ndarray:
    entries = {name: value for name, value in info.items() if name != "players"}
    return object_array([{**_entries(entries, row), "env_id": int(info["env_id"][row])} for row in rows])


def _entries(batch: Mapping[str, Any], row: Any) -> dict[str, Any]:
    return {
        name: _entries(value, row) if isinstance(value, Mapping) else value[row].copy()
        for name, value in batch.items()
    }
