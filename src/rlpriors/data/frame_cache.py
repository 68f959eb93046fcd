"""Folders of frames that are collected once, and say how.

`found`        the frames that were collected by the same plan before, or nothing
`publishing`   a writer whose folder appears with its plan when it is whole
`held_actions` random play that gets somewhere
`class_names`  what the numbers of a store's masks mean
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rlpriors.data.frames import FrameStore, FrameWriter

__all__ = ["CLASSES", "class_names", "found", "held_actions", "publishing"]

CLASSES = "classes.json"


def found(folder: Path, name: str, plan: Mapping[str, Any]) -> FrameStore | None:
    """The store at `folder` if its file `name` holds `plan`, and None if there is no such folder.

    Raises:
        ValueError: `folder` holds something else.
    """
    if not folder.exists():
        return None
    try:
        there = json.loads((folder / name).read_text())
    except (OSError, ValueError):
        there = None
    if there != plan:
        raise ValueError(f"`folder` must be new, or hold frames of {plan}. {folder} holds {there}.")
    return FrameStore.open(folder)


@contextmanager
def publishing(folder: Path, **files: Any) -> Iterator[FrameWriter]:
    """Write frames that appear at `folder` at once, together with `files`: `<name>.json` with its value."""
    whole = folder.with_name(f".{folder.name}.whole")
    shutil.rmtree(whole, ignore_errors=True)
    with FrameWriter(whole) as writer:
        yield writer
    for name, content in files.items():
        (whole / f"{name}.json").write_text(json.dumps(content) + "\n")
    whole.rename(folder)


def held_actions(space: Any, chances: np.random.Generator) -> Iterator[Any]:
    """Random actions of a Box or Discrete, each held for 1 to 8 steps: more is seen than trembling."""
    while True:
        held = int(chances.integers(1, 9))
        if hasattr(space, "n"):
            action: Any = int(chances.integers(space.n))
        else:
            action = chances.uniform(space.low, space.high).astype(np.float32)
        for _ in range(held):
            yield action


def class_names(store: FrameStore) -> tuple[str, ...]:
    """What the numbers 0, 1, 2, ... of the array `mask` of `store` mean.

    Raises:
        FileNotFoundError: it was written without masks, or by other means than the commands here.
    """
    path = store.folder / CLASSES
    if not path.is_file():
        raise FileNotFoundError(
            f"`store` must come from `collect_mujoco_masks` or `collect_atari_masks`. {store.folder} has no "
            f"{CLASSES}."
        )
    return tuple(json.loads(path.read_text()))
