"""Batched linear classifiers: one layer that trains a probe for each variable.

`ProbeSettings`        training settings; the defaults are those of AtariARI (arXiv 1906.08226)
`ClassTable`           classes of all variables, concatenated in one layer
`PerVariableSchedule`  learning rate and early stopping of each variable
`ProbeLayer`           linear layer with its optimizer
`argmax_per_variable`  most probable class of each variable
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.optim.adam import adam

from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.sampling import Sampling
from rlpriors.settings import check_fields

__all__ = ["ClassTable", "PerVariableSchedule", "ProbeLayer", "ProbeSettings", "argmax_per_variable"]


@dataclass(frozen=True)
class ProbeSettings:
    """Training settings of linear probes.

    Raises:
        ValueError: a field is out of its bounds.
    """

    lr: float = 3e-4
    """Learning rate of Adam, above 0."""
    eps: float = 1e-5
    """Epsilon of Adam, above 0."""
    batch_size: int = 64
    """Number of frames in a batch, at least 1."""
    epochs: int = 100
    """Maximum number of passes over the frames, at least 1."""
    lr_patience: int = 5
    """Number of epochs without a better validation accuracy before the learning rate falls, at least 1."""
    lr_factor: float = 0.2
    """Factor of each fall of the learning rate, in (0, 1)."""
    min_lr: float = 1e-5
    """Minimum of the learning rate, above 0."""
    patience: int = 15
    """Number of epochs without a better validation accuracy before a variable's training ends, at least 1."""
    sampling: Sampling = "random"
    """Sampling of frames in training and weight in scores: "random" uses each frame once in an epoch;
    "episode-uniform" gives all episodes equal weight, as the code of AtariARI does."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("lr", "eps", "min_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        for name in ("batch_size", "epochs", "patience", "lr_patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 0 < self.lr_factor < 1:
            raise ValueError(f"`lr_factor` must be in (0, 1). Received {self.lr_factor}.")


class ClassTable:
    """Classes of all variables in the training part, concatenated.

    Example:
        >>> level = np.arange(40) % 4
        >>> from rlpriors.evaluation.probing.labels import make_task
        >>> table = ClassTable(make_task({"level": level + 100}, np.full(4, 10)))
        >>> table.sizes, table.decode(torch.eye(4)).flatten().tolist()
        ([4], [100, 101, 102, 103])
    """

    sizes: list[int]
    """Number of classes of each variable."""

    def __init__(self, task: ProbeTask) -> None:
        self.values = [np.unique(column) for column in task.labels[task.train].T]
        self.sizes = [len(values) for values in self.values]
        encoded = np.empty(task.labels.shape, np.int64)
        for column, values in enumerate(self.values):
            index = np.searchsorted(values, task.labels[:, column]).clip(max=len(values) - 1)
            encoded[:, column] = np.where(values[index] == task.labels[:, column], index, -1)
        self.encoded: Int[Tensor, "frames variables"] = torch.from_numpy(encoded)
        """Class index of each label, -1 for labels that do not occur in the training part."""

    def argmax(self, logits: Float[Tensor, "frames classes"]) -> Int[Tensor, "frames variables"]:
        """Return the index of the most probable class of each variable."""
        return argmax_per_variable(logits, self.sizes)

    def decode(self, logits: Float[Tensor, "frames classes"]) -> Int[np.ndarray, "frames variables"]:
        """Return the most probable label of each variable."""
        indices = self.argmax(logits).cpu().numpy()
        return np.stack([v[indices[:, column]] for column, v in enumerate(self.values)], axis=1)


class PerVariableSchedule:
    """Learning rate and early stopping of each variable, by its own validation accuracy.

    The learning rate follows torch's ReduceLROnPlateau, which requires an improvement of 1e-4 of the best.
    Early stopping follows AtariARI, where any improvement counts.

    Example:
        >>> plateaus = PerVariableSchedule(1, ProbeSettings(patience=2))
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
        """Record the validation scores of an epoch; return True for running variables with a new best."""
        settings = self.settings
        better = self.running & (scores > self.best)
        self.best = np.where(better, scores, self.best)
        self._waited = np.where(better, 0, self._waited + 1)

        with np.errstate(invalid="ignore"):  # 0 times minus infinity
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


def argmax_per_variable(
    logits: Float[Tensor, "frames classes"], sizes: list[int]
) -> Int[Tensor, "frames variables"]:
    """Return the index of the most probable class of each variable; `sizes` are the numbers of classes."""
    return torch.stack([part.argmax(1) for part in logits.split(sizes, 1)], 1)


class ProbeLayer:
    """Linear layer of all variables, trained by Adam with one learning rate for each variable.

    Each step calls torch's Adam once per distinct learning rate, fused on CPU and CUDA.

    Example:
        >>> layer = ProbeLayer(torch.zeros(2, 3), eps=1e-5)
        >>> layer.step(torch.ones(4, 3), torch.zeros(4, 1, dtype=torch.int64), [2], [1.0])
        >>> layer.weight.sign().tolist()
        [[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]
    """

    def __init__(self, weight: Float[Tensor, "classes dim_and_one"], eps: float) -> None:
        self.weight, self.eps, self.steps = weight, eps, 0
        self._first, self._second = torch.zeros_like(weight), torch.zeros_like(weight)

    def select_outputs(self, selected: Bool[Tensor, " classes"]) -> None:
        """Keep only some of the outputs."""
        self.weight, self._first, self._second = (
            x[selected] for x in (self.weight, self._first, self._second)
        )

    def step(
        self,
        x: Float[Tensor, "batch dim_and_one"],
        classes: Int[Tensor, "batch variables"],
        sizes: list[int],
        rates: list[float],
    ) -> None:
        """Take one gradient step on the sum of the variables' cross-entropies.

        `classes` are the true class indices of each variable; `sizes` and `rates` are the numbers of classes
        and the learning rates.
        """
        error = torch.cat([part.softmax(1) for part in (x @ self.weight.T).split(sizes, 1)], 1)
        offsets = torch.tensor([0, *sizes[:-1]], device=x.device).cumsum(0)
        # Gradient with respect to the logits: probabilities minus one-hot labels.
        error.scatter_add_(1, classes + offsets, torch.full_like(classes, -1, dtype=error.dtype))
        gradient = (error.T @ x).div_(len(x))
        fused = x.device.type in ("cpu", "cuda")
        parts = [x.split(sizes) for x in (self.weight, gradient, self._first, self._second)]
        for rate in set(rates):
            chosen = [k for k, other in enumerate(rates) if other == rate]
            device = x.device if fused else "cpu"
            steps = list(torch.full((len(chosen),), float(self.steps), device=device).unbind())
            weights, gradients, first, second = ([part[k] for k in chosen] for part in parts)
            adam(
                weights,
                gradients,
                exp_avgs=first,
                exp_avg_sqs=second,
                max_exp_avg_sqs=[],
                state_steps=steps,
                fused=fused,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=rate,
                weight_decay=0.0,
                eps=self.eps,
                maximize=False,
            )
        self.steps += 1
