"""Labeled data of the command with `--from preferences`.

`read_labeled`  episodes and the labels of their segments, with images encoded
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.preference_set import PreferenceSet

__all__ = ["read_labeled"]


def read_labeled(read: Callable[..., EpisodeStore], labels: Path) -> tuple[EpisodeStore, PreferenceSet]:
    """Return the data, and their labels.

    `read(check=...)` returns the episodes, and passes them to `check` before images are encoded: the labels
    of images are then those of their features.

    Raises:
        ValueError: the labels are of other data, or the file is damaged.
    """
    try:
        pairs = PreferenceSet.load(labels)
    except ValueError as error:
        raise ValueError(f"--labels: {error}") from error
    recorded: list[str] = []
    data = read(check=lambda store: recorded.append(store_fingerprint(store)))
    if pairs.fingerprint in recorded:
        pairs = replace(pairs, fingerprint=store_fingerprint(data))
    try:
        pairs.check(data)
    except ValueError as error:
        raise ValueError(
            f"--labels: {error} Data that were labeled with --env or --obs-keys are read with the same ones."
        ) from error
    return data, pairs
