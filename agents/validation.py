"""What policies are given: observations to act on, and data to learn from.

`read_observations`  the observations of a batch as vectors on a device, checked
`check_sizes`        data whose observations and actions are of the policy's sizes
`check_kind`         arguments of the right class
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

__all__ = ["check_kind", "check_sizes", "read_observations"]


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


def check_kind(name: str, value: object, kinds: type | tuple[type, ...], advice: str) -> None:
    """Refuse an argument of another class, which would fail later in words that do not name it.

    Raises:
        TypeError: it is none of `kinds`; says which came and gives the advice.
    """
    if isinstance(value, kinds):
        return
    wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    got = repr(value) if isinstance(value, str | dict | None) else _a(type(value).__name__)
    raise TypeError(f"`{name}` must be {_a(wanted)}. Received {got}; {advice}.")


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'AEIO' else 'a'} {word}"
