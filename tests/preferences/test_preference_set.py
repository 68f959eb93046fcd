"""Labeled pairs: bounds, splits, files, other data sets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparisons import counting_store
from jaxtyping import config

from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences import PreferenceSet, uniform_pairs


def labeled(n: int = 20, length: int = 3) -> PreferenceSet:
    store = counting_store()
    rng = np.random.default_rng(0)
    return PreferenceSet(
        uniform_pairs(store, n, length, seed=1),
        rng.integers(-1, 2, n),
        rng.uniform(0.1, 1, n),
        length,
        store_fingerprint(store),
        "count",
    )


def rows(pairs: PreferenceSet) -> list[tuple[object, int, float]]:
    numbers = (pairs.clips.tolist(), pairs.labels.tolist(), pairs.confidence.tolist())
    return [(str(clips), label, confidence) for clips, label, confidence in zip(*numbers, strict=True)]


def test_decided_pairs_have_a_better_side() -> None:
    pairs = labeled()
    decided = pairs.decided()
    assert rows(decided) == [row for row in rows(pairs) if row[1] >= 0]
    assert 0 < len(decided) < len(pairs)
    assert (decided.length, decided.fingerprint, decided.task) == (3, pairs.fingerprint, "count")


def test_a_split_loses_nothing_and_repeats_nothing() -> None:
    pairs = labeled(40)
    train, held_out = pairs.split(0.25, seed=3)
    assert sorted(rows(train) + rows(held_out)) == sorted(rows(pairs))
    different = {frozenset(map(tuple, sides)) for sides in pairs.clips.tolist()}
    held = {frozenset(map(tuple, sides)) for sides in held_out.clips.tolist()}
    assert held.isdisjoint({frozenset(map(tuple, sides)) for sides in train.clips.tolist()})
    assert len(held) == round(0.25 * len(different))


def test_a_pair_in_both_orders_stays_on_one_side_of_a_split() -> None:
    pairs = labeled(8)
    both = replace(
        pairs,
        clips=np.concatenate([pairs.clips, pairs.clips[:, ::-1]]),
        labels=np.tile(pairs.labels, 2),
        confidence=np.tile(pairs.confidence, 2),
    )
    for seed in range(5):
        sides = [
            {frozenset(map(tuple, clips)) for clips in part.clips.tolist()} for part in both.split(0.4, seed)
        ]
        assert sides[0].isdisjoint(sides[1])


def test_the_seed_chooses_the_split() -> None:
    pairs = labeled()
    assert rows(pairs.split(0.5, 1)[0]) == rows(pairs.split(0.5, 1)[0])
    assert rows(pairs.split(0.5, 1)[0]) != rows(pairs.split(0.5, 2)[0])


def test_no_side_of_a_split_is_empty() -> None:
    pairs = labeled(2)
    for fraction in (0.01, 0.99):
        assert [len(part) for part in pairs.split(fraction)] == [1, 1]
    with pytest.raises(ValueError, match=r"at least two different pairs\. Received 1"):
        pairs.subset(np.array([0, 0])).split(0.5)
    with pytest.raises(ValueError, match="`fraction` must be above 0 and below 1"):
        pairs.split(1.0)


def test_saved_labels_are_equal(tmp_path: Path) -> None:
    pairs = labeled()
    loaded = PreferenceSet.load(pairs.save(tmp_path / "labels.jsonl"))
    assert rows(loaded) == rows(pairs)
    assert (loaded.length, loaded.fingerprint, loaded.task) == (3, pairs.fingerprint, "count")


def test_an_empty_set_is_saved_too(tmp_path: Path) -> None:
    empty = labeled().subset(np.zeros(0, np.int64))
    assert len(PreferenceSet.load(empty.save(tmp_path / "labels.jsonl"))) == 0
    empty.check(counting_store())


def test_labels_fit_their_data_with_any_rewards() -> None:
    store = counting_store()
    labeled().check(store)
    relabeled = replace(store, rew=-store.rew)
    labeled().check(relabeled)
    assert store_fingerprint(relabeled) == labeled().fingerprint
    assert not np.array_equal(relabeled.rew, store.rew)


def test_labels_of_other_data_are_refused() -> None:
    with pytest.raises(ValueError, match="The labels belong to the data set with the fingerprint"):
        labeled().check(counting_store((8, 6)))


@pytest.mark.parametrize(
    ("clips", "message"),
    [([[[0, 0], [2, 0]]], "Received episode 2"), ([[[0, 0], [1, 3]]], "start 3 with length 3 in episode 1")],
)
def test_segments_outside_the_data_are_refused(clips: list[list[list[int]]], message: str) -> None:
    pairs = replace(labeled(1), clips=np.array(clips))
    with pytest.raises(ValueError, match=message):
        pairs.check(counting_store())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0, 2])}, r"`labels` must be 0 .* Received \[2\]"),
        ({"confidence": np.array([0.5, 0.0])}, "`confidence` must be above 0"),
        ({"confidence": np.array([0.5, np.nan])}, "`confidence`"),
        ({"clips": np.array([[[0, -1], [0, 0]]] * 2)}, "`clips` must be at least 0. Received -1"),
        ({"length": 0}, "`length` must be at least 1"),
    ],
)
def test_bounds(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(labeled(2), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0])}, "one number for each of the 2 pairs"),
        ({"clips": np.zeros((2, 2), int)}, "`clips` must have 3 dimensions"),
        ({"clips": np.zeros((2, 2, 3), int)}, "`clips` must have the shape"),
    ],
)
def test_shapes(change: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = labeled(2)
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=message):
        replace(pairs, **change)  # type: ignore[arg-type]


def test_lists_become_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    pairs = PreferenceSet([[[0, 0], [0, 1]]], [1], [1.0], length=2, fingerprint="a")  # type: ignore[arg-type]
    assert repr(pairs) == "PreferenceSet(1 pairs of 2 steps: 0 first, 1 second, 0 undecided)"


def test_sizes_in_words() -> None:
    words = repr(labeled(1).subset(np.array([0, 0])))
    assert words.startswith("PreferenceSet(2 pairs of 3 steps: ")
