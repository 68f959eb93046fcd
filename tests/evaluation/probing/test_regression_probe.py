"""Ridge regression, neighbors, labels of behavior and signs of collapse, against numbers by hand."""

from typing import Any

import numpy as np
import pytest

from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.evaluation.probing.regression_probe import behavior_labels, knn_accuracy, ridge_r2

ROWS = np.arange(300)
PARTS: dict[str, Any] = {"train": ROWS[:200], "val": ROWS[200:240], "test": ROWS[240:]}
X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)


def test_linear_targets_are_explained_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    linear = X @ rng.normal(size=(6, 1)) + 5
    noise = rng.normal(size=(300, 1))
    constant = np.ones((300, 1))
    scores = ridge_r2(1e-3 * X, np.concatenate([linear, noise, constant], 1), **PARTS)
    assert scores[0] > 0.999
    assert -0.3 < scores[1] < 0.1
    assert np.isnan(scores[2])


def test_half_of_the_variance_is_half_of_r2() -> None:
    """The target is a visible and a hidden number of the same spread."""
    hidden = np.random.default_rng(2).normal(size=300)
    assert ridge_r2(X, (X[:, 0] + hidden)[:, None], **PARTS)[0] == pytest.approx(0.5, abs=0.15)


def test_more_features_than_frames_give_what_the_plain_solution_gives() -> None:
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(300, 250)).astype(np.float32)
    y = wide[:, :1] + 0.1 * rng.normal(size=(300, 1))
    scores = ridge_r2(wide, y, **PARTS, alphas=[0.1])
    train, test = wide[:200], wide[240:]
    mean, std = train.mean(0), train.std(0)
    a, b = (train - mean) / std, (test - mean) / std
    weight = np.linalg.solve(a.T @ a + 0.1 * 200 * np.eye(250), a.T @ (y[:200] - y[:200].mean(0)))
    said, truth = b @ weight + y[:200].mean(0), y[240:]
    by_hand = 1 - ((truth - said) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert scores[0] == pytest.approx(by_hand, abs=1e-4)


def test_penalty_is_chosen_by_the_validation_rows() -> None:
    rng = np.random.default_rng(4)
    noisy = rng.normal(size=(300, 150)).astype(np.float32)
    y = noisy[:, :1] + 3 * rng.normal(size=(300, 1))
    alone = {alpha: ridge_r2(noisy, y, **PARTS, alphas=[alpha])[0] for alpha in (1e-4, 1.0)}
    assert alone[1.0] > alone[1e-4]
    assert ridge_r2(noisy, y, **PARTS, alphas=[1e-4, 1.0])[0] == pytest.approx(alone[1.0])


def test_neighbors_vote() -> None:
    """Of the test points 0.2 (neighbors 0, 0, 1) and 9 (1, 1, 0) only the first is labeled as they say."""
    x = np.array([[0], [0.1], [1], [10], [9.5], [8], [0.2], [9]], np.float32)
    labels = np.array([4, 4, 7, 7, 7, 4, 4, 4])
    assert knn_accuracy(x, labels, np.arange(6), np.array([6, 7]), k=3) == 0.5


def test_steps_are_labeled_and_last_frames_are_not() -> None:
    arrays = {"act": np.array([2, 0, 9, 1, 9, 9]), "rew": np.array([1.5, 0, 9, -3, 9, 9], np.float32)}
    rows, labels, lengths = behavior_labels(arrays, np.array([3, 2, 1]))
    assert rows.tolist() == [0, 1, 3]
    assert labels["action"].tolist() == [2, 0, 1]
    assert labels["reward"].tolist() == [2, 1, 0]
    assert lengths.tolist() == [2, 1]
    with pytest.raises(ValueError, match="must hold discrete actions"):
        behavior_labels({"act": np.zeros((6, 2))}, np.array([6]))


def test_rank_counts_directions() -> None:
    """Two directions with singular values 3 and 1: shares 3/4 and 1/4, entropy .5623, exp 1.7548."""
    x = np.zeros((5, 4), np.float32)
    x[0, 0], x[1, 2] = 3, 1
    assert rankme(x) == pytest.approx(1.7548, abs=1e-3)
    assert rankme(X) == pytest.approx(6, abs=0.1)
    assert rankme(X @ np.ones((6, 6), np.float32)) == pytest.approx(1, abs=1e-3)
    assert rankme(X[:4]) <= 4


def test_std_tells_a_collapse() -> None:
    assert feature_std(X) == pytest.approx(1, abs=0.05)
    assert feature_std(X + 1000) < 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ridge_r2(X, X[:9], **PARTS), "a row for each of 300 frames. Received 9"),
        (
            lambda: ridge_r2(X, X, **{**PARTS, "val": ROWS[:0]}),
            "`val` must hold at least one row.*299.*none",
        ),
        (lambda: ridge_r2(X, X, **{**PARTS, "test": ROWS + 1}), "`test` must hold at least one row.*1..300"),
        (lambda: ridge_r2(X, X, **{**PARTS, "val": ROWS[:1]}), "at least 2 rows.*Received 1 and 60"),
        (lambda: ridge_r2(X * np.float32(np.nan), X, **PARTS), "`features` must be finite"),
        (lambda: ridge_r2(X, X, **PARTS, alphas=[0.0]), "`alphas` must be above 0"),
        (lambda: knn_accuracy(X, ROWS, ROWS[:3], ROWS[3:], k=4), r"`k` must be in 1\.\.3"),
        (lambda: behavior_labels({"rew": np.zeros(3)}, np.array([2])), "must have 2 rows.*Received 3"),
        (lambda: behavior_labels({"rew": np.zeros(0)}, np.array([0])), "at least one frame"),
        (lambda: rankme(np.zeros((3, 2), np.float32)), "Received only zeros"),
        (lambda: feature_std(np.full((3, 2), np.inf, np.float32)), "must be finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
