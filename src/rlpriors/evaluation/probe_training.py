"""Linear probes: what can be read off a representation by one linear layer.

`ProbeSettings`   how probes are trained; by default as AtariARI's (arXiv 1906.08226)
`ClassTable`      the classes of each variable, side by side in one layer
`Plateaus`        learning rate and end of every variable's training, each by its own validation
`LinearProbe`     what comes out: predicts the labels of a `ProbeTask` from features
`fit_probe`       trains it on features that were encoded before
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from rlpriors.device import resolve_device
from rlpriors.evaluation.probe_labels import ProbeTask

__all__ = ["ClassTable", "LinearProbe", "Plateaus", "ProbeSettings", "fit_probe"]

CHUNK = 4096
"""Frames that are predicted at once."""


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are trained.

    Raises:
        ValueError: a field is out of its bounds.
    """

    lr: float = 3e-4
    """Adam's learning rate, above 0."""
    eps: float = 1e-5
    """Adam's epsilon, above 0."""
    batch_size: int = 64
    """Frames in a batch, at least 1."""
    epochs: int = 100
    """Most passes over the frames, at least 1."""
    lr_patience: int = 5
    """A learning rate falls after more than so many epochs without a better validation accuracy."""
    lr_factor: float = 0.2
    """By this factor, in (0, 1)."""
    least_lr: float = 1e-5
    """But not below this, above 0."""
    patience: int = 15
    """After so many epochs without a better validation accuracy a variable's training ends."""

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "least_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        for name in ("batch_size", "epochs", "patience", "lr_patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 0 < self.lr_factor < 1:
            raise ValueError(f"`lr_factor` must be in (0, 1). Received {self.lr_factor}.")


class ClassTable:
    """The classes that occur in the training part, of all variables side by side.

    Example:
        >>> level = np.arange(40) % 4
        >>> from rlpriors.evaluation.probe_labels import make_task
        >>> table = ClassTable(make_task({"level": level + 100}, np.full(4, 10)))
        >>> table.sizes, table.decode(torch.eye(4)).flatten().tolist()
        ([4], [100, 101, 102, 103])
    """

    sizes: list[int]
    """How many classes each variable has."""

    def __init__(self, task: ProbeTask) -> None:
        self.values = [np.unique(column) for column in task.labels[task.train].T]
        self.sizes = [len(values) for values in self.values]
        encoded = np.empty(task.labels.shape, np.int64)
        for column, values in enumerate(self.values):
            place = np.searchsorted(values, task.labels[:, column]).clip(max=len(values) - 1)
            encoded[:, column] = np.where(values[place] == task.labels[:, column], place, -1)
        self.encoded: Int[Tensor, "frames variables"] = torch.from_numpy(encoded)
        """Each label's place among its variable's classes, -1 where the training part lacks it."""

    def choose(self, logits: Float[Tensor, "frames classes"]) -> Int[Tensor, "frames variables"]:
        """The place of the likeliest class of each variable."""
        return torch.stack([part.argmax(1) for part in logits.split(self.sizes, 1)], 1)

    def decode(self, logits: Float[Tensor, "frames classes"]) -> Int[np.ndarray, "frames variables"]:
        """The likeliest label of each variable."""
        places = self.choose(logits).cpu().numpy()
        return np.stack([v[places[:, column]] for column, v in enumerate(self.values)], axis=1)


class Plateaus:
    """When each variable's learning rate falls, and when its training ends: the same rule for all.

    As torch's ReduceLROnPlateau (by more than 1e-4 of the best to count as better) and AtariARI's early
    stopping (anything counts), for many variables at once.

    Example:
        >>> plateaus = Plateaus(1, ProbeSettings(patience=2))
        >>> [plateaus.step(np.array([score])).tolist() for score in (0.5, 0.4, 0.5)]
        [[True], [False], [False]]
        >>> plateaus.running.tolist()
        [False]
    """

    def __init__(self, count: int, settings: ProbeSettings) -> None:
        self.settings = settings
        self.lr = np.full(count, settings.lr)
        self.running = np.ones(count, np.bool_)
        self.best = np.full(count, -np.inf)
        self._waited = np.zeros(count, np.int64)
        self._best_for_lr, self._waited_for_lr = np.full(count, -np.inf), np.zeros(count, np.int64)

    def step(self, scores: Float[np.ndarray, " variables"]) -> np.ndarray:
        """Take the validation scores of an epoch; whose are the best so far, among those that run?"""
        settings = self.settings
        better = self.running & (scores > self.best)
        self.best = np.where(better, scores, self.best)
        self._waited = np.where(better, 0, self._waited + 1)

        with np.errstate(invalid="ignore"):  # nothing times minus infinity
            clearly = scores > self._best_for_lr + 1e-4 * np.abs(self._best_for_lr)
        clearly |= np.isinf(self._best_for_lr)
        self._best_for_lr = np.where(clearly, scores, self._best_for_lr)
        self._waited_for_lr = np.where(clearly, 0, self._waited_for_lr + 1)
        falls = self._waited_for_lr > settings.lr_patience
        lowest = min(settings.least_lr, settings.lr)
        self.lr = np.where(falls, np.maximum(self.lr * settings.lr_factor, lowest), self.lr)
        self._waited_for_lr[falls] = 0
        self.running &= self._waited < settings.patience
        return np.asarray(better)


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """One linear layer for all variables, each with the weights of its best epoch."""

    table: ClassTable
    """Which classes the layer's outputs stand for."""
    weight: Float[Tensor, "classes dim_and_one"]
    """The last column is the bias."""
    shift: Float[Tensor, " dim"]
    """Subtracted from features ..."""
    scale: Float[Tensor, " dim"]
    """... which are then multiplied by this."""
    curve: Float[np.ndarray, "epochs variables"]
    """Validation accuracy after each epoch; NaN once a variable's training has ended."""

    def predict(
        self, features: Float[np.ndarray, "all dim"], rows: Int[np.ndarray, " frames"]
    ) -> Int[np.ndarray, "frames variables"]:
        """Labels of the frames in `rows`."""
        chunks = [
            self.table.decode(x @ self.weight.T)
            for x in _batches(features, rows, CHUNK, self.shift, self.scale)
        ]
        return np.concatenate(chunks)


def fit_probe(
    features: Float[np.ndarray, "frames dim"],
    task: ProbeTask,
    settings: ProbeSettings | None = None,
    *,
    standardise: bool,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> LinearProbe:
    """Train a linear probe for every variable of `task`, all in one layer, on features in memory or mapped.

    Probes do not influence each other: the losses are summed, Adam works on each weight by itself,
    and learning rates and ends are those of each variable alone.  Of each variable the weights of the
    epoch with the best validation accuracy are kept.  `standardise` subtracts the mean of the training
    part from each feature and divides by its standard deviation (1 for features that are constant).

    Raises:
        ValueError: `features` are not one finite vector for each frame.
    """
    settings = ProbeSettings() if settings is None else settings
    device = resolve_device(device)
    check_features(features, task)
    dim, table = features.shape[1], ClassTable(task)
    shift, scale = (x.to(device) for x in _standard(features, task.train, standardise))
    drawn, mixed = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    bound = 1 / sqrt(dim)  # torch's linear layer
    start = (2 * torch.rand(sum(table.sizes), dim + 1, generator=drawn) - 1) * bound
    weights = [w.clone() for w in start.to(device).split(table.sizes)]
    groups = [{"params": [weight], "lr": settings.lr} for weight in weights]
    optimiser = torch.optim.Adam(groups, eps=settings.eps, fused=True)
    best, plateaus = [w.clone() for w in weights], Plateaus(len(weights), settings)
    targets = table.encoded.to(device)
    curve: list[np.ndarray] = []

    with tqdm(total=settings.epochs, desc="probe", unit="epoch", disable=not progress, leave=False) as bar:
        while plateaus.running.any() and len(curve) < settings.epochs:
            running = np.flatnonzero(plateaus.running).tolist()
            sizes = [table.sizes[k] for k in running]
            offsets = torch.tensor(np.cumsum([0, *sizes[:-1]]), device=device)
            for weight, group, lr in zip(weights, optimiser.param_groups, plateaus.lr, strict=True):
                group["lr"] = float(lr)
                weight.grad = None  # Adam passes over those that have ended
            order = mixed.permutation(task.train)
            starts = range(0, len(order), settings.batch_size)
            batches = _batches(features, order, settings.batch_size, shift, scale)
            for first, x in zip(starts, batches, strict=True):
                rows = torch.from_numpy(order[first : first + settings.batch_size]).to(device)
                layer = torch.cat([weights[k] for k in running])
                chances = [part.softmax(1) for part in (x @ layer.T).split(sizes, 1)]
                error = torch.cat(chances, 1)  # the gradient of cross-entropy: chances less the truth
                places = targets[rows][:, running] + offsets
                error.scatter_add_(1, places, torch.full_like(places, -1, dtype=error.dtype))
                gradient = (error.T @ x).div_(len(x))
                for k, part in zip(running, gradient.split(sizes), strict=True):
                    weights[k].grad = part
                optimiser.step()
            right = _accuracy(features, task.val, torch.cat(weights), table, targets, shift, scale)
            curve.append(np.where(plateaus.running, right, np.nan))
            for k in np.flatnonzero(plateaus.step(right)).tolist():
                best[k].copy_(weights[k])
            bar.update(1)
            bar.set_postfix(accuracy=f"{plateaus.best.mean():.3f}", running=int(plateaus.running.sum()))
    return LinearProbe(table, torch.cat(best), shift, scale, np.stack(curve))


def check_features(features: np.ndarray, task: ProbeTask) -> None:
    """Refuse features that are not one finite vector for each of the task's frames.

    Raises:
        ValueError: they are not.
    """
    count = len(task.labels)
    if features.ndim != 2 or len(features) != count or features.dtype.kind != "f":
        raise ValueError(
            f"`features` must be numbers [{count} frames, dim], one vector for each labelled frame. Received "
            f"{features.dtype} of shape {features.shape}; flatten maps first."
        )
    for first in range(0, count, CHUNK):
        finite = np.isfinite(features[first : first + CHUNK]).all(1)
        if not finite.all():
            raise ValueError(
                f"`features` must be finite. Frame {first + int(finite.argmin())} holds NaN or infinity."
            )


def _standard(
    features: np.ndarray, rows: np.ndarray, standardise: bool
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    dim = features.shape[1]
    if not standardise:
        return torch.zeros(dim), torch.ones(dim)
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    mean = sum(features[chunk].astype(np.float64).sum(0) for chunk in chunks) / len(rows)
    spread = sum(((features[chunk] - mean) ** 2).sum(0) for chunk in chunks) / len(rows)
    std = np.sqrt(spread)
    # What varies less than float32 resolves is rounding, not information.
    constant = std <= 1e-6 * np.abs(mean)
    return torch.from_numpy(mean).float(), torch.from_numpy(1 / np.where(constant, 1.0, std)).float()


def _batches(
    features: np.ndarray,
    rows: np.ndarray,
    size: int,
    shift: Float[Tensor, " dim"],
    scale: Float[Tensor, " dim"],
) -> Iterator[Float[Tensor, "batch dim_and_one"]]:
    """Standardised features with a column of ones, for the bias."""
    for first in range(0, len(rows), size):
        x = torch.from_numpy(np.asarray(features[rows[first : first + size]])).to(shift.device).float()
        yield torch.cat([(x - shift) * scale, x.new_ones(len(x), 1)], 1)


def _accuracy(
    features: np.ndarray,
    rows: np.ndarray,
    weight: Tensor,
    table: ClassTable,
    targets: Tensor,
    shift: Tensor,
    scale: Tensor,
) -> Float[np.ndarray, " variables"]:
    chosen = [table.choose(x @ weight.T) for x in _batches(features, rows, CHUNK, shift, scale)]
    right = torch.cat(chosen) == targets[torch.from_numpy(rows).to(targets.device)]
    return right.double().mean(0).cpu().numpy()
