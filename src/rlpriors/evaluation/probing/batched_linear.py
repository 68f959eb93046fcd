"""What linear probes are made of.

`ProbeSettings`   how probes are trained; by default as AtariARI's (arXiv 1906.08226)
`ClassTable`      the classes of each variable, side by side in one layer
`Plateaus`        learning rate and end of every variable's training, each by its own validation
`ProbeLayer`      one linear layer for all of them, and its optimizer
`choose`          from its outputs to classes
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from rlpriors.evaluation.probing.labels import ProbeTask

__all__ = ["ClassTable", "Plateaus", "ProbeLayer", "ProbeSettings", "choose"]

BLOCK = 1 << 17
"""Weights that are updated at once."""


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
    min_lr: float = 1e-5
    """But not below this, above 0."""
    patience: int = 15
    """After so many epochs without a better validation accuracy a variable's training ends."""

    def __post_init__(self) -> None:
        for name in ("lr", "eps", "min_lr"):
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
        >>> from rlpriors.evaluation.probing.labels import make_task
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
        return choose(logits, self.sizes)

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
        lowest = min(settings.min_lr, settings.lr)
        self.lr = np.where(falls, np.maximum(self.lr * settings.lr_factor, lowest), self.lr)
        self._waited_for_lr[falls] = 0
        self.running &= self._waited < settings.patience
        return np.asarray(better)


def choose(logits: Float[Tensor, "frames classes"], sizes: list[int]) -> Int[Tensor, "frames variables"]:
    """The place of the likeliest class of each variable, of which `sizes` are the numbers of classes."""
    return torch.stack([part.argmax(1) for part in logits.split(sizes, 1)], 1)


class ProbeLayer:
    """Outputs of all variables, each trained by Adam with a learning rate of its own.

    Adam (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1) with eps outside of the root, as torch's.  Torch's
    own takes a parameter for each learning rate, and with forty of them more time than the products.

    Example:
        >>> layer = ProbeLayer(torch.zeros(2, 3), eps=1e-5)
        >>> layer.learn(torch.ones(4, 3), torch.zeros(4, 1, dtype=torch.int64), [2], torch.ones(2, 1))
        >>> layer.weight.sign().tolist()
        [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]
    """

    def __init__(self, weight: Float[Tensor, "classes dim_and_one"], eps: float) -> None:
        self.weight, self.eps, self.steps = weight, eps, 0
        self._first, self._second = torch.zeros_like(weight), torch.zeros_like(weight)

    def keep(self, left: Bool[Tensor, " classes"]) -> None:
        """Go on with some of the outputs."""
        self.weight, self._first, self._second = (x[left] for x in (self.weight, self._first, self._second))

    def learn(
        self,
        x: Float[Tensor, "batch dim_and_one"],
        places: Int[Tensor, "batch variables"],
        sizes: list[int],
        rates: Float[Tensor, "classes 1"],
    ) -> None:
        """One step down the sum of the variables' cross-entropies.

        `places` are the true classes of each variable, which has `sizes` of them.
        """
        error = torch.cat([part.softmax(1) for part in (x @ self.weight.T).split(sizes, 1)], 1)
        offsets = torch.tensor([0, *sizes[:-1]], device=x.device).cumsum(0)
        # The gradient by the logits: chances less the truth.
        error.scatter_add_(1, places + offsets, torch.full_like(places, -1, dtype=error.dtype))
        gradient = (error.T @ x).div_(len(x))
        self.steps += 1
        root, rates = sqrt(1 - 0.999**self.steps), rates / (1 - 0.9**self.steps)
        # A block stays in the processor's cache for all of its operations.
        block = max(1, BLOCK // x.shape[1]) if x.device.type == "cpu" else len(gradient)
        parts = (self.weight, gradient, self._first, self._second, rates)
        for w, g, m, v, rate in zip(*(part.split(block) for part in parts), strict=True):
            m.lerp_(g, 0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            w.sub_(m.div(v.sqrt().div_(root).add_(self.eps)).mul_(rate))
