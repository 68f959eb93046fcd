"""Sampling of frames: weights and frequencies by hand, and their effect on probes and scores."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, make_task
from rlpriors.evaluation.probing.linear_probe import majority_baseline, probe
from rlpriors.evaluation.probing.metrics import classification_scores
from rlpriors.evaluation.probing.sampling import draw_epoch, frame_weights

LENGTHS = np.array([2, 10, 4, 4, 4])
LONG = np.repeat([0, 1, 0, 0, 0], LENGTHS)
"""1 in the frames of the long episode."""


def uneven(**parts: Any) -> ProbeTask:
    """Return a task whose training part is the first two episodes, of 2 and of 10 frames."""
    made = make_task({"frame": np.arange(24) % 4, "long": LONG}, LENGTHS, min_entropy=0.1)
    train, val, test = (np.flatnonzero(np.isin(made.episodes, part)) for part in ([0, 1], [2], [3, 4]))
    labels = np.stack([np.arange(24) % 4, LONG], 1)
    names = ("frame", "long")  # with the one that is constant in the test part
    categories = dict.fromkeys(names, ("all",))
    parts = {"train": train, "val": val, "test": test, **parts}
    return replace(made, names=names, labels=labels, categories=categories, **parts)


def test_an_epoch_draws_each_frame_once_or_each_episode_as_often() -> None:
    task, rng = uneven(), np.random.default_rng(0)
    np.testing.assert_array_equal(np.sort(draw_epoch(task, "random", rng)), task.train)
    drawn = np.concatenate([draw_epoch(task, "episode-uniform", rng) for _ in range(1000)])
    assert len(drawn) == 12_000
    shares = np.bincount(drawn, minlength=24) / len(drawn)
    expected = np.repeat([1 / 4, 1 / 20, 0], [2, 10, 12])  # half of the frames of each episode
    np.testing.assert_allclose(shares, expected, atol=0.01)


def test_weights_are_the_probabilities_of_the_draw() -> None:
    task = uneven()
    np.testing.assert_array_equal(frame_weights(task, task.train, "random"), np.ones(12))
    expected = np.repeat([3.0, 0.6], [2, 10])  # 12 frames, half of the weight for each episode
    np.testing.assert_allclose(frame_weights(task, task.train, "episode-uniform"), expected)


def test_weighted_scores_by_hand() -> None:
    truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    scores = classification_scores(truth, predicted, np.array([1.0, 1.0, 2.0, 4.0]))
    # Class 0: precision 1, recall 2/4, F1 2/3.  Class 1: precision 4/6, recall 1, F1 4/5.
    assert scores.accuracy == pytest.approx(6 / 8)
    assert scores.f1_macro == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert scores.f1_weighted == pytest.approx((4 * 2 / 3 + 4 * 4 / 5) / 8)


def test_majority_counts_episodes() -> None:
    """The long episode has most of the frames and one of five episodes."""
    task = uneven(train=np.arange(16), test=np.arange(16, 24))
    assert majority_baseline(task).variables["long"].accuracy == 0  # 10 of 16 training frames are 1
    assert majority_baseline(task, "episode-uniform").variables["long"].accuracy == 1
    with pytest.raises(ValueError, match="`sampling` must be one of"):
        majority_baseline(task, "uniform")  # type: ignore[arg-type]


def test_probes_follow_the_sampling() -> None:
    """Without features the probe learns the frequencies of its training frames."""
    task = uneven(train=np.arange(16), val=np.arange(16), test=np.arange(16, 24))
    features = np.ones((24, 1), np.float32)
    by_frame, by_episode = (
        probe(features, task, "published", ProbeSettings(lr=0.03, epochs=60, sampling=sampling), device="cpu")
        for sampling in ("random", "episode-uniform")
    )
    assert by_frame.variables["long"].accuracy == 0
    assert by_episode.variables["long"].accuracy == 1
