"""Environments of EnvPool for Tianshou.

`EnvPoolVectorEnv`  Tianshou vector environment over an environment of EnvPool
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from tianshou.env import BaseVectorEnv

from rlpriors.wrappers.env_kind import check_full_batch, envpool_config
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou.vector_env import EnvIds, object_array, resolve_env_ids

__all__ = ["EnvPoolVectorEnv"]


class EnvPoolVectorEnv(BaseVectorEnv):
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
        # Without `super().__init__`, which would create a worker for each environment.
        if not isinstance(env, VectorEnv) or envpool_config(env) is None:
            raise TypeError(
                "`env` must be an environment of EnvPool for Gymnasium: envpool.make(..., "
                f'env_type="gymnasium"). Received a {type(env).__name__}.'
            )
        check_full_batch(env)
        self.envpool: Any = env
        self.env_num = self.wait_num = env.num_envs
        self.timeout, self.is_async, self.is_closed = None, False, False
        self.waiting_conn, self.waiting_id, self.ready_id = [], [], list(range(env.num_envs))
        self.single_observation_space = env.single_observation_space
        self.single_action_space = env.single_action_space
        self._action_spaces = [deepcopy(env.single_action_space) for _ in self.ready_id]
        self._guard = StepGuard(env.num_envs)

    def get_env_attr(self, key: str, id: EnvIds = None) -> list[Any]:
        """Return an attribute of the environments `id`, one for each; None where EnvPool lacks it."""
        self._assert_is_not_closed()
        ids = resolve_env_ids(self, id)
        if key == "action_space":
            return [self._action_spaces[i] for i in ids]
        name = "single_observation_space" if key == "observation_space" else key
        return [getattr(self.envpool, name, None)] * len(ids)

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
        self._assert_is_not_closed()
        if action is None:
            raise ValueError("`action` must hold an action for each environment. Received None.")
        ids = resolve_env_ids(self, id)
        actions = action.detach().cpu().numpy() if isinstance(action, torch.Tensor) else np.asarray(action)
        if len(actions) != len(ids):
            raise ValueError(
                f"`action` must hold an action for each of {len(ids)} environments. Received {len(actions)}."
            )
        actions = actions.astype(self.single_action_space.dtype, copy=False)
        with self._guard.step(ids):
            results = self.envpool.step(actions, np.array(ids, np.int32))
            obs, *numbers, info = results
            rows = _rows(info, ids)
            rewards, terminated, truncated = (values[rows] for values in numbers)
        # EnvPool would start the next episode at the next step, without a transition.
        self._guard.is_current[np.array(ids)[terminated | truncated]] = False
        return _batch_obs(obs, rows), rewards, terminated, truncated, _infos(info, rows)

    def seed(self, seed: int | list[int] | None = None) -> list[list[int] | None]:
        """Seed the action spaces; the environments keep the seed of `envpool.make`."""
        for i, space in enumerate(self._action_spaces):
            space.seed(seed[i] if isinstance(seed, list) else None if seed is None else seed + i)
        return [None] * len(self)

    def render(self, **kwargs: Any) -> list[Any]:
        """Raise an error, since EnvPool renders its environments otherwise.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "`render` must be that of the environment of EnvPool. Received a call; use `envpool`."
        )

    def close(self) -> None:
        """Close the environments."""
        self._assert_is_not_closed()
        self.envpool.close()
        self.is_closed = True


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
