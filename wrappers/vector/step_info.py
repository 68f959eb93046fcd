"""Step results of vector environments in Gymnasium's and in foreign protocols.

`to_numpy`            array of an array or tensor on any device
`check_rows`          check of the number of rows
`final_key`           key of the final observations
`final_observations`  final observations of the episodes that ended in a step
`with_final_obs`      info with other final observations
`with_env_reward`     info with the environments' own rewards

An info is a dictionary of arrays, or a list with a dictionary for each environment (DictInfoToList).
Final observations have the key "final_obs", or "final_observation" before Gymnasium 1.0.  They are an
array or list of observations, or one batch (an array, tensor, Dict or Tuple), as in ale_py, ManiSkill and
Isaac Lab.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

__all__ = [
    "check_rows",
    "final_key",
    "final_observations",
    "to_numpy",
    "with_env_reward",
    "with_final_obs",
]

FINAL_KEYS = ("final_obs", "final_observation")


def check_rows(n_rows: int, n_envs: int) -> None:
    """Check that a reset has returned one row for each environment.

    Raises:
        ValueError: it has not; EnvPool returns only the rows of a partial reset.
    """
    if n_rows != n_envs:
        raise ValueError(
            f"`env.reset` must return a row for each of its {n_envs} environments. Received {n_rows} rows; "
            "reset all environments: in NEXT_STEP mode a step starts the next episodes."
        )


def to_numpy(values: Any) -> Shaped[np.ndarray, "..."]:
    """Return an array or a tensor on any device as an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def final_observations(info: Any, rows: Int[np.ndarray, " ended"], n_envs: int) -> list[Any]:
    """Return the final observations of the environments `rows`, of `n_envs`, whose episodes ended.

    Raises:
        ValueError: the info does not hold them.

    Example:
        >>> info = {"final_obs": {"position": np.array([[1.0], [2.0]])}}
        >>> final_observations(info, np.array([1]), n_envs=2)
        [{'position': array([2.])}]
    """
    observations = [_final_obs(info, int(row), n_envs) for row in rows]
    if any(obs is None for obs in observations):
        keys = sorted(info) if isinstance(info, Mapping) else [sorted(info[int(row)]) for row in rows]
        raise ValueError(
            f'`info` must hold the final observations of environments {rows.tolist()} as "final_obs", since '
            f"the environment resets in the same step. Received the keys {keys}."
        )
    return observations


def with_final_obs(
    info: Any, observations: Sequence[Any], rows: Int[np.ndarray, " ended"], n_envs: int
) -> Any:
    """Return a copy of an info with these final observations of the environments `rows`."""
    if not isinstance(info, Mapping):
        infos = [dict(one) for one in info]
        for row, obs in zip(rows, observations, strict=True):
            infos[row][final_key(infos[row])] = obs
        return infos
    # A new array: the environment may reuse its own, or hold a plain batch.
    array = np.full(n_envs, None, object)
    for row, obs in zip(rows, observations, strict=True):
        array[row] = obs
    mask = np.zeros(n_envs, np.bool_)
    mask[rows] = True
    key = final_key(info)
    return {**info, key: array, f"_{key}": mask}


def with_env_reward(info: Any, env_rewards: Any, stepped: Bool[np.ndarray, " rows"]) -> Any:
    """Return a copy of an info with the environments' own rewards, unless it holds them already."""
    rewards = np.array(to_numpy(env_rewards))
    if isinstance(info, Mapping):
        return {"env_reward": rewards, "_env_reward": stepped, **info}
    return [{"env_reward": reward, **one} for reward, one in zip(rewards, info, strict=True)]


def final_key(info: Mapping[str, Any]) -> str:
    """Return the key of the final observations in an info, by default "final_obs"."""
    return next((key for key in FINAL_KEYS if key in info), FINAL_KEYS[0])


def _final_obs(info: Any, row: int, n_envs: int) -> Any:
    if not isinstance(info, Mapping):
        return info[row].get(final_key(info[row]))
    return _row(info.get(final_key(info)), row, n_envs)


def _row(batch: Any, row: int, n_envs: int) -> Any:
    if isinstance(batch, Mapping):
        return {key: _row(leaf, row, n_envs) for key, leaf in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_row(leaf, row, n_envs) for leaf in batch)
    if batch is not None and len(batch) != n_envs:
        raise ValueError(
            f'`info["final_obs"]` must have a row for each of the {n_envs} environments. Received '
            f"{len(batch)} rows; fill the rows without a final observation."
        )
    return None if batch is None else batch[row]
