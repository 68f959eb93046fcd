"""Names of a run's destinations.

`Tracker`         name of a destination
`check_trackers`  check of names, and that their libraries are installed
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Literal, get_args

from rlpriors.extras import missing_extra

__all__ = ["Tracker", "check_trackers"]

Tracker = Literal["tensorboard", "csv", "wandb", "trackio"]
"""Name of a destination: TensorBoard, csv files, Weights & Biases or Trackio."""

EXTRAS = {"wandb": "Weights & Biases needs wandb", "trackio": "Trackio needs trackio"}


def check_trackers(trackers: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names without repetitions, after checks.

    Raises:
        ValueError: a name is unknown, or no name is given.
        ImportError: the library of a destination is not installed.
    """
    names = (trackers,) if isinstance(trackers, str) else tuple(dict.fromkeys(trackers))
    known = get_args(Tracker)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        received = ", ".join(map(repr, unknown)) or "none"
        raise ValueError(f"`tracker` must be one or several of {', '.join(known)}. Received {received}.")
    for name in names:
        if name in EXTRAS and not _is_installed(name):
            raise ImportError(missing_extra(f'`tracker` "{name}": {EXTRAS[name]}', name))
    return names


def _is_installed(name: str) -> bool:
    """Return True for a package; a folder of this name in the current folder, such as `wandb/`, is none."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None
