"""Windows, pairs and goals over random episodes: each lies in one episode, and their number is by formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlpriors.data import Episode, EpisodeStore

# The checks of shapes draw random numbers, so that strategies may not call the library.
EPISODES = st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=4)
"""Steps of each episode, and True if it terminates."""


def store_of(sizes: list[tuple[int, bool]]) -> EpisodeStore:
    """Episodes whose observations and actions hold the numbers of the episode and of the step."""
    episodes = []
    for number, (steps, terminates) in enumerate(sizes):
        rows = np.stack([np.full(steps + 1, number), np.arange(steps + 1)], 1).astype(np.float32)
        last = np.arange(steps) == steps - 1
        episodes.append(Episode(rows, rows[:-1], np.zeros(steps), last & terminates, last & (not terminates)))
    return EpisodeStore.from_episodes(episodes)


@given(
    sizes=EPISODES,
    horizon=st.integers(1, 8),
    stride=st.integers(1, 3),
    pad=st.booleans(),
    absorbing=st.booleans(),
    max_start=st.none() | st.integers(1, 13),
)
def test_windows_by_their_definition(sizes, horizon, stride, pad, absorbing, max_start):
    store, options = store_of(sizes), {"pad": pad, "absorbing": absorbing, "max_start": max_start}
    limit = 99 if max_start is None else max_start
    counts = [
        min(limit, steps if pad or (absorbing and terminates) else max(0, steps - horizon * stride + 1))
        for steps, terminates in sizes
    ]
    if not sum(counts):
        with pytest.raises(ValueError, match=r"`horizon` .* must fit into an episode"):
            store.window_starts(horizon, stride, **options)
        return
    starts = store.window_starts(horizon, stride, **options)
    first = [range(start, start + count) for start, count in zip(store.step_starts, counts, strict=True)]
    assert starts.tolist() == [start for steps in first for start in steps]
    window = store.windows(starts, horizon, stride)
    for row, start in enumerate(starts):
        number = int(store.episode_of[start])
        (steps, terminates), time = sizes[number], int(start - store.step_starts[number])
        times = [time + index * stride for index in range(horizon)]
        assert window.obs[row].tolist() == [[number, min(t, steps)] for t in times]
        assert window.mask[row].tolist() == [t < steps for t in times]
        assert window.terminated[row].tolist() == [terminates and t < steps <= t + stride for t in times]
        inside = [[s for s in range(t, t + stride) if s < steps] or [steps - 1] for t in times]
        np.testing.assert_allclose(
            window.act[row].numpy(), [[number, np.mean(each)] for each in inside], rtol=1e-6
        )


@given(sizes=EPISODES, offset=st.integers(0, 4), spread=st.integers(0, 4), seed=st.integers(0, 99))
def test_pairs_and_goals_stay_in_their_episode(sizes, offset, spread, seed):
    store, rng, n = store_of(sizes), np.random.default_rng(seed), 20
    if offset > store.lengths.max():
        with pytest.raises(ValueError, match="`offset` must be at most"):
            store.offset_pairs(n, (offset, offset + spread), rng)
    else:
        first, second = (store.obs[rows] for rows in store.offset_pairs(n, (offset, offset + spread), rng))
        gaps = second - first
        assert (gaps[:, 0] == 0).all()
        assert (gaps[:, 1] >= offset).all()
        assert (gaps[:, 1] <= offset + spread).all()
    steps = rng.integers(store.n_steps, size=n)
    for gamma in (0.0, 0.7, 1.0):
        before, goals = store.obs[store.obs_index(steps)], store.obs[store.future_goals(steps, gamma, rng)]
        assert (goals[:, 0] == before[:, 0]).all()
        assert (goals[:, 1] > before[:, 1]).all()
        if gamma == 0:
            assert (goals[:, 1] == before[:, 1] + 1).all()


@given(sizes=EPISODES, data=st.data())
def test_a_subset_has_the_episodes_in_their_order(sizes, data):
    store = store_of(sizes)
    chosen = data.draw(st.lists(st.integers(0, store.n_episodes - 1), min_size=1, max_size=5))
    part = store.subset(chosen)
    assert part.n_steps == sum(store.lengths[chosen])
    for index, number in enumerate(chosen):
        for ours, theirs in zip(part.episode(index), store.episode(number), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    transition = part.transitions()
    assert (transition.obs_next - transition.obs == np.array([0, 1])).all()
