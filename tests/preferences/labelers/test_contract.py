"""Contract of all labelers: an answer to any two segments, in bounds, without a change of the segments."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import numpy as np
import pytest
from comparisons import counting_store, image_store

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.preferences import (
    CachedLabeler,
    CallableLabeler,
    Label,
    OracleLabeler,
    PreferenceLabeler,
    TerminalLabeler,
    collect_preferences,
    cut_clip,
    uniform_pairs,
)
from rlpriors.preferences.labels import swap_label


def discrete_store() -> EpisodeStore:
    steps = np.arange(7)
    ends = steps == 6
    return EpisodeStore.from_episodes([Episode(np.arange(8), steps % 2, steps * 1.0, ends, ~ends & ends)])


def cached(store: EpisodeStore) -> PreferenceLabeler:
    pairs = uniform_pairs(store, 6, 3, seed=0)
    return CachedLabeler(collect_preferences(OracleLabeler(), store, pairs, 3, "run"), store)


LABELERS: dict[str, Callable[[EpisodeStore], PreferenceLabeler]] = {
    "oracle": lambda store: OracleLabeler(),
    "oracle with errors": lambda store: OracleLabeler(0.4, band=1.0, seed=3),
    "function": lambda store: CallableLabeler(lambda task, a, b: (int(b.rew.sum() > a.rew.sum()), 0.7)),
    "both orders": lambda store: CallableLabeler(lambda task, a, b: 0, both_orders=True),
    "cached": cached,
    "terminal": lambda store: TerminalLabeler(stdin=StringIO("1\n2\n0\n" * 20), stdout=StringIO()),
}
STORES = [counting_store, image_store, discrete_store]


@pytest.mark.parametrize("name", LABELERS)
@pytest.mark.parametrize("make", STORES)
def test_labels_of_all_labelers(make: Callable[[], EpisodeStore], name: str) -> None:
    store = make()
    copy = EpisodeStore(
        *(np.array(a) for a in (store.obs, store.act, store.rew)),
        store.terminated,
        store.truncated,
        store.lengths,
    )
    labels = collect_preferences(LABELERS[name](store), store, uniform_pairs(store, 6, 3, seed=0), 3, "run")
    assert len(labels) == 6
    assert set(labels.labels.tolist()) <= {0, 1, -1}
    assert ((labels.confidence > 0) & (labels.confidence <= 1)).all()
    labels.check(copy)


@pytest.mark.parametrize("name", ["oracle", "oracle with errors", "both orders", "cached"])
def test_programs_ignore_the_position(name: str) -> None:
    store = counting_store()
    straight, mirrored = LABELERS[name](store), LABELERS[name](store)
    for pair in uniform_pairs(store, 6, 3, seed=0).tolist():
        first, second = (cut_clip(store, *clip, 3) for clip in pair)
        assert straight("run", first, second) == swap_label(mirrored("run", second, first))


def test_a_plain_function_is_a_labeler() -> None:
    def labeler(task: str, first: Any, second: Any, /) -> Label:
        return Label(1)

    assert isinstance(labeler, PreferenceLabeler)
    store = counting_store()
    labels = collect_preferences(labeler, store, uniform_pairs(store, 3, 3), 3)
    assert labels.labels.tolist() == [1, 1, 1]
