"""Folders of frames that are collected once, with the plan that they were collected by.

`load_if_matching`  the store of a folder, if it was collected by the same plan
`atomic_writer`     a writer whose folder appears complete, together with its plan
`class_names`       names of the classes of a store's masks
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore

__all__ = ["CLASSES_FILE", "atomic_writer", "class_names", "load_if_matching"]

CLASSES_FILE = "classes.json"


def load_if_matching(folder: Path, name: str, plan: Mapping[str, Any]) -> FrameStore | None:
    """Return the store at `folder` if its file `name` holds `plan`; None if there is no such folder.

    Raises:
        ValueError: `folder` holds something else.
    """
    if not folder.exists():
        return None
    try:
        saved = json.loads((folder / name).read_text())
    except (OSError, ValueError):
        saved = None
    if saved != plan:
        raise ValueError(f"`folder` must be new, or hold frames of {plan}. {folder} holds {saved}.")
    return FrameStore.open(folder)


@contextmanager
def atomic_writer(folder: Path, **files: Any) -> Iterator[FrameWriter]:
    """Yield a writer whose frames appear at `folder` at once, with one `<name>.json` for each of `files`."""
    texts = {f"{name}.json": json.dumps(content) + "\n" for name, content in files.items()}
    with FrameWriter(folder, texts) as writer:
        yield writer


def class_names(store: FrameStore) -> tuple[str, ...]:
    """Return the names of the classes 0, 1, 2, ... of the array `mask` of `store`.

    Raises:
        FileNotFoundError: the store has no masks, or another program wrote it.
    """
    path = store.folder / CLASSES_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"`store` must come from a function that writes {CLASSES_FILE}, such as `collect_masks`. "
            f"{store.folder} has no {CLASSES_FILE}."
        )
    return tuple(json.loads(path.read_text()))
