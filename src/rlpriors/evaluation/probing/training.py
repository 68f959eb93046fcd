"""Linear probes: what can be read off a representation by one linear layer.

`LinearProbe`     predicts the labels of a `ProbeTask` from features
`fit_probe`       trains it on features that were encoded before
`check_features`  what it cannot be trained on
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
from rlpriors.evaluation.probing.batched_linear import ClassTable, Plateaus, ProbeLayer, ProbeSettings, choose
from rlpriors.evaluation.probing.labels import ProbeTask

__all__ = ["LinearProbe", "check_features", "fit_probe"]

CHUNK = 4096
"""Frames that are predicted at once."""


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
    standardize: bool,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> LinearProbe:
    """Train a linear probe for every variable of `task`, all in one layer, on features in memory or mapped.

    Probes do not influence each other: the losses are summed, Adam works on each weight by itself,
    and learning rates and ends are those of each variable alone.  Of each variable the weights of the
    epoch with the best validation accuracy are kept.  `standardize` subtracts the mean of the training
    part from each feature and divides by its standard deviation (1 for features that are constant).

    Raises:
        ValueError: `features` are not one finite vector for each frame.
    """
    settings = ProbeSettings() if settings is None else settings
    device = resolve_device(device)
    check_features(features, task)
    dim, table = features.shape[1], ClassTable(task)
    shift, scale = (x.to(device) for x in _standard(features, task.train, standardize))
    drawn, mixed = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    bound = 1 / sqrt(dim)  # torch's linear layer
    start = (2 * torch.rand(sum(table.sizes), dim + 1, generator=drawn) - 1) * bound
    layer = ProbeLayer(start.to(device), settings.eps)
    best, targets = layer.weight.clone(), table.encoded.to(device)
    owner = np.repeat(np.arange(len(table.sizes)), table.sizes)  # the variable of each output
    left = np.arange(len(owner))  # outputs that are still trained
    plateaus, curve = Plateaus(len(table.sizes), settings), list[np.ndarray]()

    with tqdm(total=settings.epochs, desc="probe", unit="epoch", disable=not progress, leave=False) as bar:
        while plateaus.running.any() and len(curve) < settings.epochs:
            running = np.flatnonzero(plateaus.running)
            sizes, truth = [table.sizes[k] for k in running], targets[:, running]
            rates = torch.from_numpy(plateaus.lr[owner[left]]).float().to(device)
            order = mixed.permutation(task.train)
            starts = range(0, len(order), settings.batch_size)
            batches = _batches(features, order, settings.batch_size, shift, scale)
            for first, x in zip(starts, batches, strict=True):
                rows = torch.from_numpy(order[first : first + settings.batch_size])
                layer.learn(x, truth[rows.to(device)], sizes, rates[:, None])
            right = np.full(len(table.sizes), np.nan)
            chunks = _batches(features, task.val, CHUNK, shift, scale)
            chosen = torch.cat([choose(x @ layer.weight.T, sizes) for x in chunks])
            told = truth[torch.from_numpy(task.val).to(device)]
            right[running] = (chosen == told).double().mean(0).cpu().numpy()
            curve.append(right)
            better = plateaus.step(right)[owner[left]]
            best[left[better]] = layer.weight[torch.from_numpy(better).to(device)]
            going = plateaus.running[owner[left]]
            if not going.all():
                layer.keep(torch.from_numpy(going).to(device))
                left = left[going]
            bar.update(1)
            bar.set_postfix(accuracy=f"{plateaus.best.mean():.3f}", running=int(plateaus.running.sum()))
    return LinearProbe(table, best, shift, scale, np.stack(curve))


def check_features(features: np.ndarray, task: ProbeTask) -> None:
    """Refuse features that are not one finite vector for each of the task's frames.

    Raises:
        ValueError: they are not.
    """
    count = len(task.labels)
    if features.ndim != 2 or len(features) != count or features.dtype.kind != "f":
        raise ValueError(
            f"`features` must be numbers [{count} frames, dim], one vector for each labeled frame. Received "
            f"{features.dtype} of shape {features.shape}; flatten maps first."
        )
    for first in range(0, count, CHUNK):
        finite = np.isfinite(features[first : first + CHUNK]).all(1)
        if not finite.all():
            raise ValueError(
                f"`features` must be finite. Frame {first + int(finite.argmin())} holds NaN or infinity."
            )


def _standard(
    features: np.ndarray, rows: np.ndarray, standardize: bool
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    dim = features.shape[1]
    if not standardize:
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
    """Standardized features with a column of ones, for the bias."""
    for first in range(0, len(rows), size):
        x = torch.from_numpy(np.asarray(features[rows[first : first + size]])).to(shift.device).float()
        yield torch.cat([(x - shift) * scale, x.new_ones(len(x), 1)], 1)
