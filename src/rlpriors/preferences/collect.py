"""Collection of labels.

`collect_preferences`  labels of pairs by a labeler, written to the disk one by one
"""

from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from jaxtyping import Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.clips import cut_clip
from rlpriors.preferences.label_file import LabelFile, LabelHeader, LabelList, LabelRow, Pair
from rlpriors.preferences.labelers.base import (
    CountingLabeler,
    InteractiveLabeler,
    PreferenceLabeler,
    StopLabeling,
    UndoLabel,
)
from rlpriors.preferences.labels import check_label
from rlpriors.preferences.preference_set import PreferenceSet

__all__ = ["collect_preferences"]


@check_arguments
def collect_preferences(
    labeler: PreferenceLabeler,
    store: EpisodeStore,
    pairs: Int[np.ndarray, "n 2 2"],
    length: int,
    task: str = "",
    path: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PreferenceSet:
    """Return the labels of `pairs`, and those that `path` held before.

    With a `path`, each label is on the disk before the next pair is shown, so that a killed session loses
    none.  A further call with the same `path` labels the pairs that are missing there.

    Args:
        labeler: source of the labels.  With `UndoLabel` it repeats the comparison before, with
            `StopLabeling` it ends the session.
        store: data set of the segments.
        pairs: segments as [pair, side, (episode, start)], as the samplers return them.
        length: number of steps of each segment.
        task: task in words, in which one segment is better than another.
        path: file of JSON lines; None keeps the labels in memory only.
        progress: function that receives the number of labels and the number of all pairs, after each label.

    Raises:
        ValueError: a segment lies outside its episode, the labeler returns something else than a label, or
            `path` holds labels of another task, length or data set.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.preferences import OracleLabeler, uniform_pairs
        >>> episode = Episode(np.zeros((9, 1)), np.zeros((8, 1)), np.arange(8.0), *np.zeros((2, 8)))
        >>> store = EpisodeStore.from_episodes([episode])
        >>> collect_preferences(OracleLabeler(), store, uniform_pairs(store, 5, length=3), length=3)
        PreferenceSet(5 pairs of 3 steps: 1 first, 4 second, 0 undecided)
    """
    header = LabelHeader(task, length, store_fingerprint(store))
    if pairs.shape[1:] != (2, 2):
        raise ValueError(
            f"`pairs` must have the shape (n, 2, 2): pair, side, (episode, start). Received {pairs.shape}."
        )
    wanted: list[Pair] = [((a, b), (c, d)) for (a, b), (c, d) in pairs.tolist()]
    for first, second in wanted:
        for episode, start in (first, second):
            cut_clip(store, episode, start, length)  # an error here comes before the first question
    opened: AbstractContextManager[LabelList]
    opened = LabelFile(path, header) if path is not None else nullcontext(LabelList())
    with opened as labels:
        PreferenceSet.of(header, labels.rows).check(store)
        known = Counter(row.clips for row in labels.rows)
        if isinstance(labeler, CountingLabeler):
            for row in labels.rows:
                first_clip, second_clip = (cut_clip(store, *side, length) for side in row.clips)
                labeler.skip(first_clip, second_clip)
        todo: deque[Pair] = deque()
        for pair in wanted:
            if known[pair]:
                known[pair] -= 1
            else:
                todo.append(pair)
        _ask(labeler, store, labels, todo, header, progress)
        return PreferenceSet.of(header, labels.rows)


def _ask(
    labeler: PreferenceLabeler,
    store: EpisodeStore,
    labels: LabelList,
    todo: deque[Pair],
    header: LabelHeader,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Add the labels of `todo`, which shrinks."""
    show = labeler.show_progress if isinstance(labeler, InteractiveLabeler) else _ignore
    total = len(labels.rows) + len(todo)
    while todo:
        show(len(labels.rows), total)
        first, second = (cut_clip(store, episode, start, header.length) for episode, start in todo[0])
        try:
            label = check_label(labeler(header.task, first, second))
        except UndoLabel:
            if labels.rows:
                todo.appendleft(labels.undo().clips)
        except StopLabeling:
            break
        else:
            labels.append(LabelRow(todo.popleft(), *label))
        if progress is not None:
            progress(len(labels.rows), total)
    show(len(labels.rows), total)


def _ignore(done: int, total: int) -> None:
    """Do nothing: a program needs no display."""
