"""Answers of an earlier session.

`CachedLabeler`  labeler that reads stored answers, and asks another labeler for new pairs
"""

from pathlib import Path

from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences.clips import Clip, clip_digest, cut_clip
from rlpriors.preferences.labelers.base import PreferenceLabeler
from rlpriors.preferences.labels import Label, check_label, swap_label
from rlpriors.preferences.preference_set import PreferenceSet

__all__ = ["CachedLabeler"]


class CachedLabeler:
    """Labeler that answers from stored labels, in either order of a pair.

    Args:
        labels: stored labels, or the path of their file.
        store: data set of these labels.
        fallback: labeler of other pairs, whose answers are remembered; None raises an error for them.

    Raises:
        ValueError: the labels belong to another data set or to another task, or there is no answer.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> from rlpriors.data.fingerprints import store_fingerprint
        >>> episode = Episode(np.arange(4.0)[:, None], np.zeros((3, 1)), *np.zeros((3, 3)))
        >>> store = EpisodeStore.from_episodes([episode])
        >>> pair = np.array([[[0, 0], [0, 2]]])
        >>> stored = PreferenceSet(pair, np.array([1]), np.ones(1), 1, store_fingerprint(store))
        >>> labeler = CachedLabeler(stored, store)
        >>> labeler("", cut_clip(store, 0, 2, 1), cut_clip(store, 0, 0, 1))
        Label(value=0, confidence=1.0)
    """

    def __init__(
        self,
        labels: PreferenceSet | str | Path,
        store: EpisodeStore,
        fallback: PreferenceLabeler | None = None,
    ) -> None:
        stored = labels if isinstance(labels, PreferenceSet) else PreferenceSet.load(labels)
        stored.check(store)
        self.task = stored.task
        self.fallback = fallback
        self._labels: dict[tuple[bytes, bytes], Label] = {}
        for pair, value, confidence in zip(stored.clips, stored.labels, stored.confidence, strict=True):
            first, second = (cut_clip(store, int(e), int(s), stored.length) for e, s in pair)
            self._remember(first, second, Label(int(value), float(confidence)))

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        """Return the stored answer, or the one of the fallback."""
        if task != self.task:
            raise ValueError(f"The stored labels belong to the task {self.task!r}. Received {task!r}.")
        label = self._labels.get((clip_digest(first), clip_digest(second)))
        if label is None and self.fallback is None:
            raise ValueError(
                f"There is no stored label for this pair, among {len(self._labels) // 2} pairs; pass "
                "`fallback` to label new pairs."
            )
        if label is None:
            assert self.fallback is not None
            label = check_label(self.fallback(task, first, second))
            self._remember(first, second, label)
        return label

    def _remember(self, first: Clip, second: Clip, label: Label) -> None:
        a, b = clip_digest(first), clip_digest(second)
        self._labels[a, b] = label
        self._labels[b, a] = swap_label(label)
