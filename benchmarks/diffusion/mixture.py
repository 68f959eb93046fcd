"""Points of a mixture of Gaussians in the plane, whose exact denoiser is known.

`Mixture`          equally likely Gaussians of one width, with draws and the exact denoiser
`RING`             eight narrow Gaussians on a circle
`sliced_distance`  Wasserstein-1 distance of two sets of points, averaged over directions
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rlpriors.diffusion import DiffusionProcess
from rlpriors.types import Denoiser

__all__ = ["RING", "Mixture", "sliced_distance"]


@dataclass(frozen=True)
class Mixture:
    """Mixture of N(center, std^2) with equal weights; a point is a window [1, dim]."""

    centers: Tensor
    """Centers [n, dim]."""
    std: float
    """Standard deviation of each Gaussian."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return `n` points [n, 1, dim]."""
        chosen = self.centers[torch.randint(len(self.centers), (n,), generator=generator)]
        return (chosen + self.std * torch.randn(chosen.shape, generator=generator))[:, None]

    def denoiser(self, process: DiffusionProcess) -> Denoiser:
        """Return the exact denoiser of `process`, which must predict clean windows ("sample")."""
        if process.prediction_type != "sample":
            raise ValueError(
                f'`process` must have the prediction type "sample". Received {process.prediction_type!r}.'
            )

        def predict(x: Tensor, t: Tensor, /) -> Tensor:
            signal, noise = process.schedule.coefficients(t)
            variance = signal**2 * self.std**2 + noise**2
            offset = x - signal * self.centers  # [batch, n, dim]
            weight = (-offset.square().sum(-1, keepdim=True) / (2 * variance)).softmax(1)
            means = self.centers + signal * self.std**2 / variance * offset
            return (weight * means).sum(1, keepdim=True)

        return predict


def _ring(n: int, radius: float, std: float) -> Mixture:
    angle = 2 * math.pi * torch.arange(n) / n
    return Mixture(radius * torch.stack([angle.cos(), angle.sin()], 1), std)


RING = _ring(8, radius=0.7, std=0.06)


def sliced_distance(a: Tensor, b: Tensor, n_directions: int = 32) -> float:
    """Return the Wasserstein-1 distance of two equally large sets of points, averaged over directions."""
    angle = math.pi * (torch.arange(n_directions) + 0.5) / n_directions
    directions = torch.stack([angle.cos(), angle.sin()])
    first, second = ((points.flatten(1) @ directions).sort(0).values for points in (a, b))
    return (first - second).abs().mean().item()
