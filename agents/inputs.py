"""What policies are given: observations to act on, and data to learn from.

`read_observations`  the observations of a batch as vectors on a device, checked
`check_sizes`        data whose observations and actions are of the policy's sizes
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tianshou.data import Batch
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observations import select_observation

__all__ = ["check_sizes", "read_observations"]


def read_observations(
    obs: Any, keys: Sequence[str] | None, dim: int, device: torch.device
) -> Float[Tensor, "batch dim"]:
    """One vector of `dim` entries for each row of a batch's observations.

    Args:
        obs: an array or tensor [batch, ...], or a (nested) batch or dictionary of such.
        keys: leaves of a dictionary observation.
        dim: entries wanted.
        device: where the vectors go.

    Raises:
        ValueError: the observations have another number of entries, or hold NaN or infinity.
    """
    if isinstance(obs, Batch):
        obs = obs.to_dict()
    if not isinstance(obs, Tensor):
        # A copy, because torch warns of arrays that may not be written to, and refuses reversed ones.
        obs = torch.from_numpy(np.array(select_observation(obs, keys, batch_dims=1), np.float32, order="C"))
    rows: Tensor = obs.to(device).float().reshape(len(obs), -1)
    if rows.shape[1] != dim:
        raise ValueError(
            f"`obs` must have {dim} entries, as the data that the policy was fitted to. Received "
            f"{rows.shape[1]}. For dictionary observations set `obs_keys`."
        )
    if not rows.isfinite().all():
        raise ValueError("`obs` must be finite. Received NaN or infinity; check the environment.")
    return rows


def check_sizes(data: EpisodeStore, *, obs: int, act: int) -> None:
    """Refuse data whose observations or actions have another number of entries.

    Raises:
        ValueError: they have.
    """
    for name, array, wanted in (("observations", data.obs, obs), ("actions", data.act, act)):
        dim = int(np.prod(array.shape[1:]))
        if dim != wanted:
            raise ValueError(
                f"The data's {name} have {dim} entries, but the policy was made for {wanted}. Give data of "
                "the same environment, or choose other `obs_keys`."
            )
