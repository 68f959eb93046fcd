"""Labeled pairs of segments of one data set.

`PreferenceSet`  segments, labels and confidences, with the fingerprint of their data set
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments, check_array_fields
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.label_file import LabelHeader, LabelRow, read_labels, write_labels

__all__ = ["PreferenceSet"]


@dataclass(frozen=True, eq=False)
class PreferenceSet:
    """Labeled pairs of segments of one `EpisodeStore`.

    Raises:
        ValueError: arrays disagree in length, a label or a confidence is out of bounds, or a number is
            negative.

    Example:
        >>> clips = np.array([[[0, 0], [1, 5]], [[0, 3], [0, 0]], [[1, 5], [0, 0]]])
        >>> pairs = PreferenceSet(clips, np.array([0, -1, 1]), np.ones(3), length=4, fingerprint="a" * 32)
        >>> len(pairs), len(pairs.decided())
        (3, 2)
    """

    clips: Int[np.ndarray, "pairs 2 2"]
    """Segments as [pair, side, (episode, start)]: the index of the episode, and the first step in it."""
    labels: Int[np.ndarray, " pairs"]
    """0 where the first segment is better, 1 where the second is, -1 where the labeler was undecided."""
    confidence: Float[np.ndarray, " pairs"]
    """Confidences of the labels, in (0, 1]."""
    length: int
    """Number of steps of each segment."""
    fingerprint: str
    """`store_fingerprint` of the data set."""
    task: str = ""
    """Task in words, in which one segment is better than another."""

    def __post_init__(self) -> None:
        """Check the arrays once."""
        check_array_fields(self)
        n = len(self.clips)
        if self.clips.shape != (n, 2, 2):
            raise ValueError(
                "`clips` must have the shape (pairs, 2, 2): pair, side, (episode, start). Received "
                f"{self.clips.shape}."
            )
        if self.labels.shape != (n,) or self.confidence.shape != (n,):
            raise ValueError(
                f"`labels` and `confidence` must have one number for each of the {n} pairs. Received shapes "
                f"{self.labels.shape} and {self.confidence.shape}."
            )
        if n and self.clips.min() < 0:
            raise ValueError(f"`clips` must be at least 0. Received {self.clips.min()}.")
        if not np.isin(self.labels, (0, 1, -1)).all():
            raise ValueError(
                "`labels` must be 0 (the first is better), 1 (the second) or -1 (undecided). Received "
                f"{sorted(set(self.labels.tolist()) - {0, 1, -1})}."
            )
        if not ((self.confidence > 0) & (self.confidence <= 1)).all():
            raise ValueError("`confidence` must be above 0 and at most 1 for each pair.")
        if self.length < 1:
            raise ValueError(f"`length` must be at least 1. Received {self.length}.")

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.clips)

    def __repr__(self) -> str:
        """Return the sizes of the set."""
        first, second, undecided = (int((self.labels == value).sum()) for value in (0, 1, -1))
        return (
            f"PreferenceSet({len(self)} pairs of {self.length} steps: {first} first, {second} second, "
            f"{undecided} undecided)"
        )

    def subset(self, indices: Int[np.ndarray, " n"]) -> "PreferenceSet":
        """Return the pairs at `indices`, in their order."""
        return replace(
            self,
            clips=self.clips[indices],
            labels=self.labels[indices],
            confidence=self.confidence[indices],
        )

    def decided(self) -> "PreferenceSet":
        """Return the pairs whose label is 0 or 1."""
        return self.subset(np.flatnonzero(self.labels >= 0))

    @check_arguments
    def split(self, fraction: float, seed: int = 0) -> tuple["PreferenceSet", "PreferenceSet"]:
        """Return pairs for training, and a random `fraction` of held-out pairs.

        The same two segments are never in both, in either order: all labels of a pair stay together.  One
        segment alone may be in both, in other pairs.

        Raises:
            ValueError: `fraction` is outside (0, 1), or there are fewer than two different pairs.
        """
        if not 0 < fraction < 1:
            raise ValueError(f"`fraction` must be above 0 and below 1. Received {fraction}.")
        sides = self.clips.astype(np.int64)
        reverse = [tuple(first) > tuple(second) for first, second in sides.tolist()]
        sides[reverse] = sides[reverse][:, ::-1]
        pair = np.unique(sides.reshape(len(self), 4), axis=0, return_inverse=True)[1].reshape(-1)
        different = int(pair.max()) + 1 if len(self) else 0
        if different < 2:
            raise ValueError(f"A split needs at least two different pairs. Received {different}.")
        order = np.random.default_rng(seed).permutation(different)
        held_out = np.isin(pair, order[: min(max(round(fraction * different), 1), different - 1)])
        return self.subset(np.flatnonzero(~held_out)), self.subset(np.flatnonzero(held_out))

    @classmethod
    def load(cls, path: str | Path) -> "PreferenceSet":
        """Return the labels in the file of `save` or of `collect_preferences`.

        A last line that a killed process left unfinished is ignored with a warning.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or holds something else.
        """
        header, rows = read_labels(path)
        return cls.of(header, rows)

    @classmethod
    def of(cls, header: LabelHeader, rows: list[LabelRow]) -> "PreferenceSet":
        """Return the labels of the lines of a file."""
        return cls(
            np.array([row.clips for row in rows], np.int64).reshape(-1, 2, 2),
            np.array([row.label for row in rows], np.int64),
            np.array([row.confidence for row in rows], np.float64),
            header.length,
            header.fingerprint,
            header.task,
        )

    def save(self, path: str | Path) -> Path:
        """Write the labels atomically to one file of JSON lines and return its path."""
        rows = [
            LabelRow(((a, b), (c, d)), label, confidence)
            for ((a, b), (c, d)), label, confidence in zip(
                self.clips.tolist(), self.labels.tolist(), self.confidence.tolist(), strict=True
            )
        ]
        return write_labels(path, LabelHeader(self.task, self.length, self.fingerprint), rows)

    def check(self, store: EpisodeStore) -> None:
        """Raise an error if the segments are not those of `store`.

        Rewards may differ: labels stay valid for relabeled data.

        Raises:
            ValueError: the labels belong to another data set, or a segment lies outside its episode.
        """
        fingerprint = store_fingerprint(store)
        if fingerprint != self.fingerprint:
            raise ValueError(
                f"The labels belong to the data set with the fingerprint {self.fingerprint}. Received data "
                f"with the fingerprint {fingerprint}; use the episodes that were labeled, in their order."
            )
        episode, start = self.clips[..., 0].ravel(), self.clips[..., 1].ravel()
        if len(self) and episode.max() >= store.n_episodes:
            raise ValueError(
                f"`clips` must be of the {store.n_episodes} episodes of the data. Received episode "
                f"{episode.max()}; the labels are damaged."
            )
        outside = start + self.length > store.lengths[episode] if len(self) else np.zeros(0, bool)
        if outside.any():
            bad = int(outside.argmax())
            raise ValueError(
                f"`clips` must lie inside their episodes. Received start {start[bad]} with length "
                f"{self.length} in episode {episode[bad]} of {store.lengths[episode[bad]]} steps; the labels "
                "are damaged."
            )
