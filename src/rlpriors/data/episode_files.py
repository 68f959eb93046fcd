"""Files of episodes: flat arrays, the layout of the observations and the action space.

`write_episode_arrays`  atomic write to one safetensors file
`load_episode_arrays`   contents of such a file
`EPISODE_COLUMNS`       names of the arrays
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rlpriors.data.files import read_arrays, write_arrays
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.spaces.actions import space_from_json

__all__ = ["EPISODE_COLUMNS", "load_episode_arrays", "write_episode_arrays"]

EPISODE_COLUMNS = ("obs", "act", "rew", "terminated", "truncated", "lengths")
_KIND = "EpisodeStore"  # in the header of files


def write_episode_arrays(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    parts: Mapping[str, Any],
    dtype: Literal["float32", "float16"],
) -> Path:
    """Write arrays and `parts`, JSON values by name, to one safetensors file; parts of None are left out.

    Raises:
        ValueError: a number is too large for float16, whose largest is 65504.
    """
    if dtype not in ("float32", "float16"):
        raise ValueError(f'`dtype` must be "float32" or "float16". Received {dtype!r}.')
    written = dict(arrays)
    for name in ("obs", "act") if dtype == "float16" else ():
        if written[name].dtype.kind == "f":
            largest = np.abs(written[name]).max()
            if largest > np.finfo(np.float16).max:
                raise ValueError(
                    f'`dtype` "float16" holds at most 65504. Received {largest} in `{name}`; save as '
                    '"float32".'
                )
            written[name] = written[name].astype(np.float16)
    for name, part in parts.items():
        if part is not None:
            written[name] = np.frombuffer(json.dumps(part).encode(), np.uint8)
    return write_arrays(path, written, _KIND)


def load_episode_arrays(path: str | Path) -> dict[str, Any]:
    """Return the arrays, layout and action space of `EpisodeArrays.save`, without checks of the arrays.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds something else.
    """
    arrays = read_arrays(path, _KIND)
    missing = [name for name in EPISODE_COLUMNS if name not in arrays]
    if missing:
        raise ValueError(
            f"`path` must hold the arrays {', '.join(EPISODE_COLUMNS)}. Received {path}, which lacks "
            f"{', '.join(missing)}; write it again."
        )
    return {
        **{name: arrays[name] for name in EPISODE_COLUMNS},
        "obs_layout": _parsed(path, arrays, "obs_layout", ObservationLayout.from_json),
        "action_space": _parsed(path, arrays, "action_space", space_from_json),
    }


def _parsed(
    path: str | Path, arrays: Mapping[str, np.ndarray], name: str, parse: Callable[[Any], Any]
) -> Any:
    """Return the value of a part that is JSON as bytes, or None if the file lacks it."""
    if name not in arrays:
        return None
    try:
        return parse(json.loads(arrays[name].tobytes()))
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`path` must hold a valid {name!r}. Received {path}, in which it is damaged ({error}); write it "
            "again."
        ) from error
