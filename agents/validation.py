"""Checks of what policies and algorithms receive: observations, data and arguments.

`read_observations`  checked observations of a batch as vectors on a device
`check_sizes`        check of a data set's observation and action sizes
`check_type`         check of an argument's class
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

__all__ = ["check_sizes", "check_type", "read_observations"]


def read_observations(
    obs: Any, keys: Sequence[str] | None, dim: int, device: torch.device
) -> Float[Tensor, "batch dim"]:
    """Convert a batch's observations to one vector of `dim` entries per row.

    Args:
        obs: an array or tensor [batch, ...], or a (nested) batch or dictionary of these.
        keys: leaves of a dictionary observation.
        dim: expected number of entries.
        device: device of the vectors.

    Raises:
        ValueError: the observations have another number of entries, or contain NaN or infinity.
    """
    if isinstance(obs, Batch):
        obs = obs.to_dict()
    if not isinstance(obs, Tensor):
        # A copy, because torch warns about read-only arrays and refuses reversed ones.
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
    """Raise unless the data's observations and actions have these numbers of entries.

    Raises:
        ValueError: a number of entries differs.
    """
    for name, array, expected in (("observations", data.obs, obs), ("actions", data.act, act)):
        dim = int(np.prod(array.shape[1:]))
        if dim != expected:
            raise ValueError(
                f"The data's {name} have {dim} entries, but the policy was made for {expected}. Give data of "
                "the same environment, or choose other `obs_keys`."
            )


def check_type(name: str, value: object, types: type | tuple[type, ...], advice: str) -> None:
    """Raise if an argument is of another class, which would fail later in a message without its name.

    Raises:
        TypeError: `value` is not an instance of `types`; the message contains its class and the advice.
    """
    if isinstance(value, types):
        return
    expected = " or ".join(kind.__name__ for kind in (types if isinstance(types, tuple) else (types,)))
    received = repr(value) if isinstance(value, str | dict | None) else _with_article(type(value).__name__)
    raise TypeError(f"`{name}` must be {_with_article(expected)}. Received {received}; {advice}.")


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIO' else 'a'} {word}"
