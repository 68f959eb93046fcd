"""Exact velocities and mean velocities from N(mean, std^2) to standard normal noise."""

from typing import NamedTuple

import torch
from torch import Tensor


class GaussianFlow(NamedTuple):
    """The flow of independent normal entries: x_t has mean (1 - t) m and variance (1 - t)^2 s^2 + t^2."""

    mean: float
    std: float

    def deviation(self, t: Tensor) -> Tensor:
        """Return the standard deviation at each time."""
        return ((1 - t) ** 2 * self.std**2 + t**2).sqrt()

    def map(self, x: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Carry points from time t to time r: their distance from the mean scales with the deviation."""
        r, t = r[:, None], t[:, None]
        off = (x - (1 - t) * self.mean) / self.deviation(t)
        return (1 - r) * self.mean + self.deviation(r) * off

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Return E[noise - x_0 | x_t = x] by the regression of jointly normal numbers."""
        t = t[:, None]
        off = (x - (1 - t) * self.mean) / self.deviation(t) ** 2
        return t * off - (self.mean + (1 - t) * self.std**2 * off)

    def __call__(self, x: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """Return the mean velocity between r and t."""
        gap = (t - r)[:, None]
        mean = (x - self.map(x, r, t)) / gap.clamp(min=1e-4)
        return torch.where(gap > 1e-4, mean, self.velocity(x, t))
