"""Scores of rewards that need no true reward, on episodes worked by hand."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rewards.held_out import (
    held_out_scores,
    outside_range,
    peak_rank,
    two_sample_accuracy,
    window_means,
)
from rlpriors.evaluation.rewards.input_use import entry_names, input_use, order_in_episodes
from rlpriors.evaluation.rewards.verdict import Finding, grade, mean_epic, verdict_line
from rlpriors.types import Transition


def walks(*rows: list[float]) -> EpisodeStore:
    """One episode for each row of observations."""
    return EpisodeStore.from_episodes(
        Episode(np.array(row)[:, None], np.ones((len(row) - 1, 1)), *np.zeros((3, len(row) - 1)))
        for row in rows
    )


def position(obs, act, obs_next, terminated):
    return obs[:, 0]


def test_windows_end_with_their_episode():
    means, episode = window_means(position, walks([0, 1, 2, 9], [4, 6, 9]), 2)
    assert means.tolist() == [0.5, 2.0, 5.0]
    assert episode.tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="`length` must be at least 1"):
        window_means(position, walks([0, 1]), 0)


def test_pairs_and_ties():
    # 3 beats 0, 1, 2; 1 beats 0 and ties with 1: (3 + 1.5) / 6.
    assert two_sample_accuracy(np.array([3.0, 1.0]), np.array([0.0, 1.0, 2.0])) == 0.75


def test_scores_by_hand():
    demonstrations, data = walks([5, 5, 0], [7, 7, 0]), walks([0, 2, 0], [2, 4, 0])
    scores = held_out_scores(position, demonstrations, data, length=2, rng=np.random.default_rng(0))
    assert scores.accuracy.estimate == 1
    # Windows 5, 7 against 1, 3: a gap of 4 in units of the deviation 1.
    assert scores.gap.estimate == 4
    assert scores.gap.low <= 4 <= scores.gap.high
    reversed_ = held_out_scores(position, data, demonstrations, length=2, rng=np.random.default_rng(0))
    assert reversed_.accuracy.estimate == 0
    assert reversed_.gap.estimate == -4


def test_peak():
    # The upper quartile of 0, 1, 2, 3, 4 is 3, above 4 of the 8 steps 0..7 and equal to none of the others.
    data = walks([0, 1, 2, 2.5, 4, 5, 6, 7, 0])
    assert peak_rank(position, walks([0, 1, 2, 3, 4, 0]), data) == 0.5


def test_range_of_each_entry():
    data = walks([0, 4])  # widened to -1..5
    assert outside_range(walks([-1, 5, 5.1, 9]), data).tolist() == [0.5]
    assert outside_range(walks([-1, 5]), data, margin=0.0).tolist() == [1.0]


def test_input_use_is_zero_for_what_is_not_read():
    generator = torch.Generator().manual_seed(0)
    obs, act = torch.randn(4000, 3, generator=generator), torch.randn(4000, 1, generator=generator)
    step = Transition(obs, act, obs, torch.zeros(4000, dtype=torch.bool))
    use = input_use(
        lambda obs, act, obs_next, terminated: 2 * obs[:, 0] + act[:, 0],
        step,
        ["a", "b", "c"],
        np.random.default_rng(0),
    )
    assert use["b"] == use["c"] == 0
    assert use["a"] == pytest.approx(0.8, abs=0.05)  # 4 of a variance of 5
    assert use["action"] == pytest.approx(0.2, abs=0.05)
    with pytest.raises(ValueError, match="`names` must name 3 entries"):
        input_use(position, step, ["a"], np.random.default_rng(0))


def test_names_of_leaves_and_of_plain_entries():
    assert entry_names(walks([0, 1])) == ["obs[0]"]


def test_order():
    assert order_in_episodes(position, walks([0, 1, 2, 3], [3, 2, 1, 0])) == 0
    assert order_in_episodes(position, walks([0, 2, 4, 0], [5, 5, 5, 5])) == 1  # a constant is left out
    assert order_in_episodes(position, walks([5, 5, 5, 5])) == 0


def test_levels_and_verdict():
    assert [grade(x, good=2.0, bad=1.0) for x in (2.0, 1.0, 0.9)] == ["good", "doubtful", "bad"]
    assert [grade(x, good=1.0, bad=2.0) for x in (1.0, 2.0, 2.1)] == ["good", "doubtful", "bad"]
    good, doubtful, bad = (Finding(level, "1", level, "") for level in ("good", "doubtful", "bad"))
    assert verdict_line([good, doubtful])[1] == "Use this reward with care: doubtful 1."
    assert verdict_line([good, bad, doubtful])[0] == "bad"
    assert verdict_line([good])[0] == "good"
    assert verdict_line([])[0] == "good"


def test_mean_distance_of_rewards():
    rng = np.random.default_rng(0)
    data = walks(*rng.normal(size=(5, 30)).tolist())

    def opposite(*transition):
        return -position(*transition)

    assert mean_epic([position, position], data, gamma=0.9, rng=rng) == pytest.approx(0, abs=1e-6)
    assert mean_epic([position, opposite], data, gamma=0.9, rng=rng) == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match="at least two rewards"):
        mean_epic([position], data, gamma=0.9, rng=rng)
