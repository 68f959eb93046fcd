"""Choice of pairs: inside episodes, uniform, by disagreement, by novelty."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from comparisons import counting_store
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences import cut_clip, disagreement_pairs, novel_pairs, uniform_pairs
from rlpriors.preferences.samplers import mean_observations, segment_sums


def first_entry(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    return obs[:, 0]


def minus_first_entry(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    return -obs[:, 0]


def by_disagreement(store: EpisodeStore, n: int, length: int, seed: int = 0) -> np.ndarray:
    return disagreement_pairs(store, n, length, [first_entry, minus_first_entry], seed)


SAMPLERS = [uniform_pairs, by_disagreement, novel_pairs]


@pytest.mark.parametrize("sample", SAMPLERS)
def test_pairs_of_all_samplers(sample: Callable[..., Any]) -> None:
    store = counting_store((8, 2, 5))
    pairs = sample(store, 12, 3, seed=4)
    assert pairs.shape == (12, 2, 2)
    for first, second in pairs.tolist():
        cut_clip(store, *first, 3), cut_clip(store, *second, 3)  # inside their episodes
        assert first != second
    assert (pairs == sample(store, 12, 3, seed=4)).all()
    assert (pairs != sample(store, 12, 3, seed=5)).any()


@pytest.mark.parametrize("sample", SAMPLERS)
def test_too_long_segments_are_refused(sample: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="at least two segments in the episodes, whose longest has 8 steps"):
        sample(counting_store(), 3, 8)


def test_all_segments_are_equally_likely() -> None:
    store = counting_store((4, 3))  # segments of 2 steps: 3 and 2
    pairs = uniform_pairs(store, 20_000, 2)
    counts = {segment: 0 for segment in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]}
    for pair in pairs.tolist():
        for segment in pair:
            counts[tuple(segment)] += 1
    # 40 000 draws at 1/5: the standard deviation of a count is 80.
    assert all(abs(count - 8000) < 400 for count in counts.values()), counts
    together = {frozenset(map(tuple, pair)) for pair in pairs.tolist()}
    assert len(together) == 10


def test_more_uniform_pairs_begin_with_the_same_ones() -> None:
    store = counting_store()
    assert (uniform_pairs(store, 30, 3)[:7] == uniform_pairs(store, 7, 3)).all()


def test_sums_and_means_by_hand() -> None:
    store = counting_store()
    pair = np.array([[[0, 1], [1, 2]]])
    assert segment_sums(store, pair, 3).tolist() == [[1 + 2 + 3, 102 + 103 + 104]]
    means = mean_observations(store, pair, 3)
    spread = store.obs[:, 0].std()
    assert means[0, 0] == pytest.approx([2.5 / spread, -2.5 / spread])
    assert means[0, 1] == pytest.approx([103.5 / spread, -103.5 / spread])


def test_disagreement_is_the_variance_of_the_preferences() -> None:
    store = counting_store((40,))
    candidates = uniform_pairs(store, 40, 5, seed=2)

    def small(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        return obs[:, 0] / 100

    def constant(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        return 0 * obs[:, 0]

    chosen = disagreement_pairs(store, 4, 5, [small, constant], seed=2)
    # 5 steps that start k later have a sum that is 5 k / 100 larger; the constant reward says 1/2.
    apart = np.abs(candidates[:, 0, 1] - candidates[:, 1, 1])
    found = np.abs(chosen[:, 0, 1] - chosen[:, 1, 1])
    assert found.tolist() == sorted(apart.tolist(), reverse=True)[:4]


def test_disagreement_needs_two_rewards() -> None:
    with pytest.raises(ValueError, match="`rewards` must be at least two, which can disagree"):
        disagreement_pairs(counting_store(), 4, 3, [first_entry])


def test_novel_pairs_cover_the_data_better() -> None:
    """The largest distance from any segment to its nearest chosen one is smaller."""
    store = counting_store((60, 3, 3))
    every = np.array([[[e, s], [e, s]] for e, n in enumerate((60, 3, 3)) for s in range(n - 2)])
    points = mean_observations(store, every, 3)[:, 0]

    def gap(pairs: np.ndarray) -> float:
        chosen = mean_observations(store, pairs, 3).reshape(-1, points.shape[1])
        return float(np.linalg.norm(points[:, None] - chosen[None], axis=-1).min(1).max())

    gaps = np.array(
        [[gap(sample(store, 6, 3, seed)) for sample in (novel_pairs, uniform_pairs)] for seed in range(10)]
    )
    assert gaps[:, 0].mean() < 0.5 * gaps[:, 1].mean()


def test_known_pairs_count_as_compared() -> None:
    store = counting_store((60, 3, 3))
    first = novel_pairs(store, 3, 3, seed=1)
    after = novel_pairs(store, 3, 3, seed=1, known=first)
    assert not {str(pair) for pair in first.tolist()} & {str(pair) for pair in after.tolist()}
