"""Training of linear probes on precomputed features.

`LinearProbe`     linear classifier of all variables of a `ProbeTask`
`fit_probe`       training of a `LinearProbe`
`check_features`  validation of the features
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
from rlpriors.evaluation.probing.batched_linear import (
    ClassTable,
    PerVariableSchedule,
    ProbeLayer,
    ProbeSettings,
    argmax_per_variable,
)
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.sampling import draw_epoch, frame_weights

__all__ = ["LinearProbe", "check_features", "fit_probe"]

CHUNK = 4096
"""Number of frames in one prediction batch."""


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """Linear layer for all variables, each with the weights of its best epoch."""

    table: ClassTable
    """Classes of the layer's outputs."""
    weight: Float[Tensor, "classes dim_and_one"]
    """Weights of the layer; the last column is the bias."""
    shift: Float[Tensor, " dim"]
    """Offset that is subtracted from the features."""
    scale: Float[Tensor, " dim"]
    """Factor of the shifted features."""
    curve: Float[np.ndarray, "epochs variables"]
    """Validation accuracy after each epoch; NaN once a variable's training has ended."""

    def predict(
        self, features: Float[np.ndarray, "all dim"], rows: Int[np.ndarray, " frames"]
    ) -> Int[np.ndarray, "frames variables"]:
        """Predict the labels of the frames in `rows`."""
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
    """Train a linear probe for each variable of `task`, all in one layer.

    Features may be memory-mapped.  Probes are independent: the losses are summed, Adam treats each weight
    separately, and each variable has its own learning rate and early stopping.  The result holds each
    variable's weights of the epoch with the best validation accuracy.  `standardize` subtracts the mean
    of the training part from each feature and divides by its standard deviation (1 if constant).

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
    schedule, curve = PerVariableSchedule(len(table.sizes), settings), list[np.ndarray]()
    val_weights = frame_weights(task, task.val, settings.sampling)

    with tqdm(total=settings.epochs, desc="probe", unit="epoch", disable=not progress, leave=False) as bar:
        while schedule.running.any() and len(curve) < settings.epochs:
            running = np.flatnonzero(schedule.running)
            sizes, truth = [table.sizes[k] for k in running], targets[:, running]
            rates = schedule.lr[running].tolist()
            order = draw_epoch(task, settings.sampling, mixed)
            starts = range(0, len(order), settings.batch_size)
            batches = _batches(features, order, settings.batch_size, shift, scale)
            for first, x in zip(starts, batches, strict=True):
                rows = torch.from_numpy(order[first : first + settings.batch_size])
                layer.step(x, truth[rows.to(device)], sizes, rates)
            right = np.full(len(table.sizes), np.nan)
            chunks = _batches(features, task.val, CHUNK, shift, scale)
            chosen = torch.cat([argmax_per_variable(x @ layer.weight.T, sizes) for x in chunks])
            labels = truth[torch.from_numpy(task.val).to(device)]
            right[running] = np.average((chosen == labels).cpu().numpy(), axis=0, weights=val_weights)
            curve.append(right)
            better = schedule.step(right)[owner[left]]
            best[left[better]] = layer.weight[torch.from_numpy(better).to(device)]
            running_outputs = schedule.running[owner[left]]
            if not running_outputs.all():
                layer.select_outputs(torch.from_numpy(running_outputs).to(device))
                left = left[running_outputs]
            bar.update(1)
            bar.set_postfix(accuracy=f"{schedule.best.mean():.3f}", running=int(schedule.running.sum()))
    return LinearProbe(table, best, shift, scale, np.stack(curve))


def check_features(features: np.ndarray, task: ProbeTask) -> None:
    """Check that `features` hold one finite vector for each of the task's frames.

    Raises:
        ValueError: the shape, dtype or a value is wrong.
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
                f"`features` must be finite. Received NaN or inf in frame {first + int(finite.argmin())}."
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
    # Variation below the resolution of float32 is rounding, not information.
    constant = std <= 1e-6 * np.abs(mean)
    return torch.from_numpy(mean).float(), torch.from_numpy(1 / np.where(constant, 1.0, std)).float()


def _batches(
    features: np.ndarray,
    rows: np.ndarray,
    size: int,
    shift: Float[Tensor, " dim"],
    scale: Float[Tensor, " dim"],
) -> Iterator[Float[Tensor, "batch dim_and_one"]]:
    """Yield standardized features with a column of ones for the bias."""
    for first in range(0, len(rows), size):
        x = torch.from_numpy(np.asarray(features[rows[first : first + size]])).to(shift.device).float()
        yield torch.cat([(x - shift) * scale, x.new_ones(len(x), 1)], 1)
