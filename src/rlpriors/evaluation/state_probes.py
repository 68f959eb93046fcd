"""What a representation shows of continuous states, of rewards, and of what to do.

`ridge_r2`         how much of the variance of each target a ridge regression explains
`knn_accuracy`     how often the nearest frames have the same label
`behaviour_labels` actions and rewards of a store as labels for `make_task`
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.device import resolve_device

__all__ = ["ALPHAS", "behaviour_labels", "knn_accuracy", "ridge_r2"]

ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
"""Ridge penalties, per training frame and standardised feature."""

Rows = Int[np.ndarray, " frames"]


def ridge_r2(
    features: Float[np.ndarray, "all dim"],
    targets: Float[np.ndarray, "_ targets"],
    train: Int[np.ndarray, " learning"],
    val: Int[np.ndarray, " stopping"],
    test: Int[np.ndarray, " judging"],
    alphas: Sequence[float] = ALPHAS,
    *,
    device: str | torch.device = "auto",
) -> Float[np.ndarray, " targets"]:
    """R2 of each target in the test rows, from features that are standardised on the training rows.

    1 is perfect, 0 no better than the test rows' mean, below 0 worse; NaN for a target that is constant
    there.  The penalty of each target is the one of `alphas` with the best R2 in the `val` rows.

    Raises:
        ValueError: numbers are not finite, parts are empty, or rows do not exist.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
        >>> rows = np.arange(60)
        >>> ridge_r2(x, x @ np.ones((3, 1), np.float32), rows[:40], rows[40:50], rows[50:]).round(3)
        array([1.])
    """
    _check_rows(len(features), train=train, val=val, test=test)
    if len(targets) != len(features):
        raise ValueError(
            f"`targets` must have a row for each of {len(features)} frames. Received {len(targets)}."
        )
    if not alphas or min(alphas) <= 0:
        raise ValueError(f"`alphas` must be above 0. Received {tuple(alphas)}.")
    place = resolve_device(device)
    x, y = (
        {name: _finite(what, array, rows).to(place) for name, rows in parts.items()}
        for what, array in (("features", features), ("targets", targets))
        for parts in ({"train": train, "val": val, "test": test},)
    )
    mean, std = x["train"].mean(0), x["train"].std(0, unbiased=False)
    std = torch.where(std <= 1e-6 * mean.abs(), 1.0, std)
    x = {name: (part - mean) / std for name, part in x.items()}
    centre = y["train"].mean(0)
    count, dim = x["train"].shape
    dual = dim > count  # the smaller of two systems with the same solution
    gram = x["train"] @ x["train"].T if dual else x["train"].T @ x["train"]
    right = y["train"] - centre if dual else x["train"].T @ (y["train"] - centre)
    best: Tensor | None = None
    chosen = torch.zeros(y["test"].shape[1], dtype=torch.float64, device=place)
    for alpha in alphas:
        shifted = gram + alpha * count * torch.eye(len(gram), dtype=gram.dtype, device=place)
        weight = torch.cholesky_solve(right, torch.linalg.cholesky(shifted))
        weight = x["train"].T @ weight if dual else weight
        scores = {name: _r2(y[name], x[name] @ weight + centre) for name in ("val", "test")}
        # A target that is constant in `val` says nothing there: the first penalty stays.
        better = torch.ones_like(chosen, dtype=torch.bool) if best is None else scores["val"] > best
        best = scores["val"] if best is None else torch.where(better, scores["val"], best)
        chosen = torch.where(better, scores["test"], chosen)
    return chosen.cpu().numpy()


def knn_accuracy(
    features: Float[np.ndarray, "all dim"],
    labels: Int[np.ndarray, " all"],
    train: Int[np.ndarray, " learning"],
    test: Int[np.ndarray, " judging"],
    k: int = 5,
    *,
    device: str | torch.device = "auto",
) -> float:
    """How often the commonest label of the `k` nearest training rows is right.

    Near by Euclidean distance of features that are standardised on the training rows; among labels
    that are as common the smallest is said.

    Raises:
        ValueError: `k` is not in 1..number of training rows, numbers are not finite, or rows do not exist.

    Example:
        >>> x = np.array([[0.0], [1.0], [10.0], [11.0], [10.4]], np.float32)
        >>> knn_accuracy(x, np.array([0, 0, 1, 1, 1]), np.arange(4), np.array([4]), k=2)
        1.0
    """
    _check_rows(len(features), train=train, test=test)
    if not 1 <= k <= len(train):
        raise ValueError(f"`k` must be in 1..{len(train)}, the training rows. Received {k}.")
    place = resolve_device(device)
    known, asked = (_finite("features", features, rows).to(place) for rows in (train, test))
    mean, std = known.mean(0), known.std(0, unbiased=False)
    std = torch.where(std <= 1e-6 * mean.abs(), 1.0, std)
    known, asked = ((x - mean) / std for x in (known, asked))
    classes, places = np.unique(labels[train], return_inverse=True)
    one_hot = torch.eye(len(classes), dtype=torch.float64, device=place)[torch.from_numpy(places).to(place)]
    said = []
    for chunk in asked.split(256):
        nearest = torch.cdist(chunk, known).topk(k, largest=False).indices
        said.append(one_hot[nearest].sum(1).argmax(1).cpu().numpy())
    return float((classes[np.concatenate(said)] == labels[test]).mean())


def behaviour_labels(
    arrays: Mapping[str, np.ndarray], lengths: Int[np.ndarray, " episodes"]
) -> tuple[Rows, dict[str, Rows], Int[np.ndarray, " left"]]:
    """Which frames a step was taken from, the step's `action` and `reward` as labels, and new lengths.

    For the probes of rewards and of experts' actions that go with success in reinforcement learning
    (Zhang et al. 2022, arXiv 2208.12345): features of those frames, `make_task(labels, lengths)`.
    Actions must be discrete; for others see `ridge_r2`.  A reward's label is its sign, plus one.

    Raises:
        ValueError: there are no discrete actions `act` and no rewards `rew`, or no episode has a step.

    Example:
        >>> arrays = {"act": np.array([3, 1, 0]), "rew": np.array([0.0, -2.0, 0.0])}
        >>> behaviour_labels(arrays, np.array([3]))
        (array([0, 1]), {'action': array([3, 1]), 'reward': array([1, 0])}, array([2]))
    """
    inside = np.ones(int(lengths.sum()), np.bool_)
    inside[np.cumsum(lengths) - 1] = False  # the last frame of each episode
    rows = np.flatnonzero(inside)
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
    return rows, labels, lengths[lengths > 1] - 1


def _r2(
    truth: Float[Tensor, "rows targets"], said: Float[Tensor, "rows targets"]
) -> Float[Tensor, " targets"]:
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    score = 1 - ((truth - said) ** 2).sum(0) / spread
    return torch.where(spread > 0, score, torch.nan)


def _finite(what: str, array: np.ndarray, rows: np.ndarray) -> Float[Tensor, "rows columns"]:
    part = torch.from_numpy(np.asarray(array[rows])).double()
    if not part.isfinite().all():
        raise ValueError(f"`{what}` must be finite. Received NaN or infinity.")
    return part


def _check_rows(count: int, **parts: np.ndarray) -> None:
    for name, rows in parts.items():
        if not len(rows) or rows.min() < 0 or rows.max() >= count:
            raise ValueError(
                f"`{name}` must be rows in 0..{count - 1}, at least one. Received "
                f"{f'{rows.min()}..{rows.max()}' if len(rows) else 'none'}."
            )
