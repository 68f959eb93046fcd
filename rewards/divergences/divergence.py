"""Distances between generated and demonstrated samples, as losses with a fixed scale.

`Divergence`          one of `DIVERGENCES` with a scale that is fitted once and saved
`DivergenceSettings`  name and options of a divergence
`DIVERGENCES`         names of the divergences

`two_sample_statistics` holds the distances as pure functions.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.rewards.divergences.two_sample_statistics import (
    MATERN_NU,
    energy_distance,
    mean_squared_distance,
    median_distance,
    mmd_matern,
    mmd_rbf,
    mse,
    sinkhorn_divergence,
)
from rlpriors.rewards.validation import check_positive
from rlpriors.settings import check_fields

__all__ = ["DIVERGENCES", "Divergence", "DivergenceName", "DivergenceSettings"]

DivergenceName = Literal["mse", "mmd-rbf", "mmd-matern", "energy", "sinkhorn"]

DIVERGENCES: tuple[DivergenceName, ...] = get_args(DivergenceName)
"""Allowed values of `DivergenceSettings.name`."""


@dataclass(frozen=True)
class DivergenceSettings:
    """Name and options of a divergence.

    Raises:
        ValueError: a field is out of its bounds, or has no effect on this divergence.
    """

    name: DivergenceName = "energy"
    """Name of the divergence, one of `DIVERGENCES`; only "mse" compares points in pairs."""

    nu: float = 1.5
    """Smoothness of the "mmd-matern" kernel: 0.5, 1.5 or 2.5."""

    biased: bool = False
    """Biased estimate of "mmd-rbf" and "mmd-matern", which also compares each point with itself."""

    adaptive_bandwidth: bool = False
    """Bandwidth of "mmd-rbf" from each pair of samples: the mean squared distance between different
    points of both together.  The loss then changes with the samples; kept for comparison with earlier
    work that does so."""

    epsilon: float = 0.05
    """Entropy weight of "sinkhorn" as a fraction of the squared median distance; above 0."""

    n_iters: int = 50
    """Number of "sinkhorn" iterations, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.name not in DIVERGENCES:
            raise ValueError(f"`name` must be one of {DIVERGENCES}. Received {self.name!r}.")
        if self.nu not in MATERN_NU:
            raise ValueError(f"`nu` must be one of {MATERN_NU}. Received {self.nu}.")
        if self.biased and not self.name.startswith("mmd"):
            raise ValueError(f"`biased` must be False unless `name` is an mmd. Received {self.name!r}.")
        if self.adaptive_bandwidth and self.name != "mmd-rbf":
            raise ValueError(
                f"`adaptive_bandwidth` must be False unless `name` is 'mmd-rbf'. Received {self.name!r}."
            )
        check_positive(epsilon=self.epsilon)
        if self.n_iters < 1:
            raise ValueError(f"`n_iters` must be at least 1. Received {self.n_iters}.")


class Divergence(nn.Module):
    """A divergence by name, with a scale that is fitted once and saved with the state.

    Example:
        >>> rng = torch.Generator().manual_seed(0)
        >>> data, other = torch.randn(64, 2, generator=rng), torch.randn(32, 2, generator=rng) + 3
        >>> divergence = Divergence(DivergenceSettings("mmd-rbf")).fit(data)
        >>> bool(divergence(data[:32], data[32:]) < 0.3 < divergence(data[:32], other))
        True
    """

    scale: Tensor

    def __init__(self, settings: DivergenceSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DivergenceSettings()
        self.register_buffer("scale", torch.tensor(math.nan))

    @property
    def needs_fit(self) -> bool:
        """Flag of a divergence that has a scale to fit."""
        return self.settings.name not in ("mse", "energy") and not self.settings.adaptive_bandwidth

    @property
    def is_fitted(self) -> bool:
        """Flag of a divergence that is ready for `forward`."""
        return not self.needs_fit or bool(torch.isfinite(self.scale))

    def fit(self, x: Float[Tensor, "n dim"]) -> "Divergence":
        """Set the scale to the median distance within `x` and return the divergence itself."""
        self.scale.fill_(median_distance(x))
        return self

    def forward(self, a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
        """Return the divergence between the points `a` and `b`, differentiable in both.

        Raises:
            RuntimeError: the divergence needs a scale and was not fitted.
            ValueError: there are too few points, or their dimensions differ.
        """
        if not self.is_fitted:
            raise RuntimeError(
                f"A {self.settings.name!r} divergence needs a scale before it can compare samples. Call "
                "`fit` with features of demonstrations and prior data, or load a fitted state."
            )
        settings, scale = self.settings, self.scale.to(a.dtype)
        if settings.name == "mse":
            return mse(a, b)
        if settings.name == "energy":
            return energy_distance(a, b)
        if settings.name == "mmd-matern":
            return mmd_matern(a, b, scale, settings.nu, settings.biased)
        if settings.name == "sinkhorn":
            return sinkhorn_divergence(a, b, settings.epsilon * scale.square(), settings.n_iters)
        bandwidth = mean_squared_distance(a, b) if settings.adaptive_bandwidth else scale.square()
        return mmd_rbf(a, b, bandwidth, settings.biased)

    def extra_repr(self) -> str:
        """Return the name and the scale for `print`."""
        return f"{self.settings.name}, scale={float(self.scale):.4g}"
