"""Final observations and partial resets of environments whose results are tensors.

`final_batch`      final observations in an info, as one batch
`with_final_batch` info with other final observations
`reset_rows`       mask of the rows that a reset covers
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from rlpriors.wrappers.images.observation_tree import leaf_name
from rlpriors.wrappers.vector.step_info import final_key

__all__ = ["final_batch", "reset_rows", "with_final_batch"]

ROW_OPTIONS = ("reset_mask", "env_idx")
"""Options of `reset` that select environments: Gymnasium's mask and ManiSkill's indices."""


def final_batch(info: Mapping[str, Any], num_envs: int) -> Any:
    """Return the final observations in an info, one row for each environment; None without any.

    Their key is "final_obs" (Gymnasium, Isaac Lab) or "final_observation" (ManiSkill).  Only rows whose
    episode ended in this step hold final observations.

    Raises:
        ValueError: they are no batch of tensors with a row for each environment.

    Example:
        >>> final_batch({"final_observation": torch.ones(2, 3)}, num_envs=2).shape
        torch.Size([2, 3])
    """
    batch = info.get(final_key(info))
    for path, leaf in () if batch is None else _leaves(batch):
        if not isinstance(leaf, Tensor) or leaf.shape[:1] != (num_envs,):
            received = (
                f"shape {tuple(leaf.shape)}" if isinstance(leaf, Tensor) else f"a {type(leaf).__name__}"
            )
            where = f" at {leaf_name(path)!r}" if path else ""
            raise ValueError(
                f'`info["{final_key(info)}"]` must be tensors with a row for each of the {num_envs} '
                f"environments. Received {received}{where}; fill the rows without a final observation."
            )
    return batch


def with_final_batch(info: Mapping[str, Any], batch: Any, ended: Bool[Tensor, " rows"]) -> dict[str, Any]:
    """Return a copy of an info with these final observations, and the mask of the episodes that ended."""
    key = final_key(info)
    return {**info, key: batch, f"_{key}": ended}


def reset_rows(
    options: Mapping[str, Any] | None, env_ids: Any, num_envs: int, device: torch.device
) -> Bool[Tensor, " rows"] | None:
    """Return the mask of the rows that a reset covers; None for all.

    Rows are selected by `env_ids` (Isaac Lab, mjlab), `options["env_idx"]` (ManiSkill) or
    `options["reset_mask"]` (Gymnasium).

    Example:
        >>> reset_rows(None, [0, 2], 3, torch.device("cpu"))
        tensor([ True, False,  True])
    """
    selected = [(options or {}).get(name) for name in ROW_OPTIONS]
    mask, indices = selected[0], selected[1] if env_ids is None else env_ids
    if mask is not None:
        return torch.as_tensor(mask, device=device).bool().expand(num_envs).clone()
    if indices is None:
        return None
    rows = torch.zeros(num_envs, dtype=torch.bool, device=device)
    rows[torch.as_tensor(indices, device=device).long()] = True
    return rows


def _leaves(batch: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not isinstance(batch, Mapping | tuple):
        yield path, batch
        return
    for key, inner in batch.items() if isinstance(batch, Mapping) else enumerate(batch):
        yield from _leaves(inner, (*path, key))
