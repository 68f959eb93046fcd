"""Probes of continuous states, rewards and actions.

`ridge_r2`         explained variance of each target by ridge regression
`knn_accuracy`     accuracy of a nearest-neighbor classifier
`step_frames`      frames from which steps were taken
`behavior_labels`  actions and rewards of a store as labels for `make_task`
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments
from rlpriors.evaluation.array_arguments import array_arguments

__all__ = ["ALPHAS", "behavior_labels", "knn_accuracy", "ridge_r2", "step_frames"]

ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
"""Ridge penalties, per training frame and standardized feature."""

LARGEST = 1e75  # products of two variances are finite

Rows = Int[np.ndarray, " frames"]


@array_arguments(features=2, targets=2, train=1, val=1, test=1)
def ridge_r2(
    features: Float[np.ndarray, "all dim"],
    targets: Float[np.ndarray, "_ targets"],
    train: Int[np.ndarray, " train"],
    val: Int[np.ndarray, " val"],
    test: Int[np.ndarray, " test"],
    alphas: Sequence[float] = ALPHAS,
) -> Float[np.ndarray, " targets"]:
    """Compute R2 of each target in the test rows, from features standardized on the training rows.

    1 is perfect, 0 equals the mean of the test rows, and constant targets give NaN.  The penalty of each
    target is the one of `alphas` with the best R2 in the `val` rows.  The computation is scikit-learn's.

    Raises:
        ValueError: numbers are not finite, parts are empty, or rows do not exist.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
        >>> rows = np.arange(60)
        >>> ridge_r2(x, x @ np.ones((3, 1), np.float32), rows[:40], rows[40:50], rows[50:]).round(3)
        array([1.])
    """
    from sklearn.linear_model import Ridge  # imported here, since it takes a second
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler

    _check_rows(len(features), train=train, val=val, test=test)
    if len(targets) != len(features):
        raise ValueError(
            f"`targets` must have a row for each of {len(features)} frames. Received {len(targets)}."
        )
    if min(len(val), len(test)) < 2:
        raise ValueError(
            f"`val` and `test` must hold at least 2 rows each. Received {len(val)} and {len(test)}."
        )
    if not alphas or min(alphas) <= 0:
        raise ValueError(f"`alphas` must be above 0. Received {tuple(alphas)}.")
    if max(alphas) > LARGEST:
        raise ValueError(f"`alphas` must be at most {LARGEST:g}. Received {tuple(alphas)}.")
    x, y = (
        {name: _finite(what, array, rows) for name, rows in parts.items()}
        for what, array in (("features", features), ("targets", targets))
        for parts in ({"train": train, "val": val, "test": test},)
    )
    scaler = StandardScaler(copy=False).fit(x["train"])
    x = {name: scaler.transform(part) for name, part in x.items()}
    best, chosen = np.full(y["test"].shape[1], -np.inf), np.full(y["test"].shape[1], np.nan)
    for alpha in alphas:
        model = Ridge(alpha * len(train)).fit(x["train"], y["train"])
        predicted = {name: model.predict(x[name]).reshape(y[name].shape) for name in ("val", "test")}
        # For a target that is constant in `val`, all penalties score 0 and the first one stays.
        val_score, test_score = (
            np.asarray(r2_score(y[n], predicted[n], multioutput="raw_values")) for n in predicted
        )
        val_score = np.where(np.ptp(y["val"], axis=0) > 0, val_score, 0)
        better = val_score > best
        best, chosen = np.where(better, val_score, best), np.where(better, test_score, chosen)
    return np.where(np.ptp(y["test"], axis=0) > 0, chosen, np.nan)


@array_arguments(features=2, labels=1, train=1, test=1)
def knn_accuracy(
    features: Float[np.ndarray, "all dim"],
    labels: Int[np.ndarray, " all"],
    train: Int[np.ndarray, " train"],
    test: Int[np.ndarray, " test"],
    k: int = 5,
) -> float:
    """Compute the accuracy of the most frequent label of the `k` nearest training rows.

    Distances are Euclidean, between features standardized on the training rows.  Ties go to the smallest
    label.  The computation is scikit-learn's.

    Raises:
        ValueError: `k` is not in 1..number of training rows, numbers are not finite, or rows do not exist.

    Example:
        >>> x = np.array([[0.0], [1.0], [10.0], [11.0], [10.4]], np.float32)
        >>> knn_accuracy(x, np.array([0, 0, 1, 1, 1]), np.arange(4), np.array([4]), k=2)
        1.0
    """
    from sklearn.neighbors import KNeighborsClassifier  # imported here, since it takes a second
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _check_rows(len(features), train=train, test=test)
    if len(labels) != len(features):
        raise ValueError(f"`labels` must have {len(features)} rows, as `features`. Received {len(labels)}.")
    if not 1 <= k <= len(train):
        raise ValueError(f"`k` must be in 1..{len(train)}, the training rows. Received {k}.")
    known, queries = (_finite("features", features, rows) for rows in (train, test))
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(k)).fit(known, labels[train])
    return float((model.predict(queries) == labels[test]).mean())


def step_frames(
    lengths: Int[np.ndarray, " episodes"],
) -> tuple[Rows, Int[np.ndarray, " episodes_with_steps"]]:
    """Return all frames but the last of each episode, and the lengths of the remaining episodes.

    Example:
        >>> step_frames(np.array([3, 1, 2]))
        (array([0, 1, 4]), array([2, 1]))
    """
    inside = np.ones(int(lengths.sum()), np.bool_)
    inside[np.cumsum(lengths) - 1] = False
    return np.flatnonzero(inside), lengths[lengths > 1] - 1


@check_arguments
def behavior_labels(
    arrays: Mapping[str, np.ndarray], lengths: Int[np.ndarray, " episodes"]
) -> tuple[Rows, dict[str, Rows], Int[np.ndarray, " episodes_with_steps"]]:
    """Return frames of steps, the steps' `action` and `reward` as labels, and the episodes' lengths.

    Probes of rewards and of experts' actions correlate with success in reinforcement learning (Zhang et
    al. 2022, arXiv 2208.12345).  Pass the result on as `make_task(labels, lengths)` with the features of
    these frames.  Actions must be discrete; `ridge_r2` serves continuous ones.  The label of a reward is
    its sign plus one.

    Raises:
        ValueError: there are neither discrete actions `act` nor rewards `rew`, or no episode has a step.

    Example:
        >>> arrays = {"act": np.array([3, 1, 0]), "rew": np.array([0.0, -2.0, 0.0])}
        >>> behavior_labels(arrays, np.array([3]))
        (array([0, 1]), {'action': array([3, 1]), 'reward': array([1, 0])}, array([2]))
    """
    if (lengths < 0).any():
        raise ValueError(f"`lengths` must be at least 0. Received {lengths.min()}.")
    n_frames = int(lengths.sum())
    if not n_frames:
        raise ValueError("`lengths` must add up to at least one frame. Received 0 frames.")
    for name in {"act", "rew"} & {*arrays}:
        if len(arrays[name]) != n_frames:
            raise ValueError(
                f"`arrays` must have {n_frames} rows, the sum of `lengths`. Received {len(arrays[name])} in "
                f"{name!r}."
            )
    rows, step_lengths = step_frames(lengths)
    labels = {}
    if "act" in arrays and arrays["act"].ndim == 1 and arrays["act"].dtype.kind in "iu":
        labels["action"] = np.asarray(arrays["act"][rows], np.int64)
    if "rew" in arrays:
        labels["reward"] = np.sign(arrays["rew"][rows]).astype(np.int64) + 1
    if not labels or not len(rows):
        raise ValueError(
            "`arrays` must hold discrete actions `act` or rewards `rew` of at least one step. Received "
            f"{ {name: array.shape for name, array in arrays.items()} } and {len(rows)} steps."
        )
    return rows, labels, step_lengths


def _finite(name: str, array: np.ndarray, rows: np.ndarray) -> Float[np.ndarray, "rows columns"]:
    part = np.asarray(array[rows], np.float64)
    if part.ndim != 2:
        raise ValueError(f"`{name}` must have 2 dimensions. Received shape {array.shape}.")
    if not np.isfinite(part).all():
        raise ValueError(f"`{name}` must be finite. Received NaN or infinity.")
    largest = float(np.abs(part).max(initial=0))
    if largest > LARGEST:
        raise ValueError(f"`{name}` must hold numbers of at most {LARGEST:g}. Received {largest:g}.")
    return part


def _check_rows(count: int, **parts: np.ndarray) -> None:
    for name, rows in parts.items():
        if rows.ndim != 1:
            raise ValueError(f"`{name}` must have 1 dimension. Received shape {rows.shape}.")
        if not len(rows) or rows.min() < 0 or rows.max() >= count:
            raise ValueError(
                f"`{name}` must hold at least one row in 0..{count - 1}. Received "
                f"{f'{rows.min()}..{rows.max()}' if len(rows) else 'none'}."
            )
