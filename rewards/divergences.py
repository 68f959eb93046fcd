"""How far generated points are from demonstrated ones, as a loss with a scale that stays.

`Divergence`          one of `DIVERGENCES`, its scale fitted once and saved
`DivergenceSettings`  which one, and its knobs
`DIVERGENCES`         their names

The functions themselves, `mse`, `mmd_rbf`, `mmd_matern`, `energy_distance`, `sinkhorn_divergence`
and `median_distance`, are those of `rewards.two_sample_statistics`.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.rewards.two_sample_statistics import (
    MATERN,
    energy_distance,
    mean_square,
    median_distance,
    mmd_matern,
    mmd_rbf,
    mse,
    require_positive,
    sinkhorn_divergence,
)

__all__ = [
    "DIVERGENCES",
    "Divergence",
    "DivergenceName",
    "DivergenceSettings",
    "energy_distance",
    "median_distance",
    "mmd_matern",
    "mmd_rbf",
    "mse",
    "sinkhorn_divergence",
]

DivergenceName = Literal["mse", "mmd-rbf", "mmd-matern", "energy", "sinkhorn"]

DIVERGENCES: tuple[DivergenceName, ...] = get_args(DivergenceName)
"""What `DivergenceSettings.name` may be."""


@dataclass(frozen=True)
class DivergenceSettings:
    """Which divergence, and its knobs.

    Raises:
        ValueError: a field is out of its bounds, or would have no effect on this divergence.
    """

    name: DivergenceName = "energy"
    """One of `DIVERGENCES`; "mse" alone compares in pairs."""

    nu: float = 1.5
    """Smoothness of "mmd-matern": 0.5, 1.5 or 2.5."""

    biased: bool = False
    """Whether the two "mmd" also compare each point with itself."""

    moving: bool = False
    """"mmd-rbf" only: take the bandwidth anew from each pair of samples (the mean squared distance
    between different points of both together).  The loss then changes with what is compared; kept
    for comparison with work that does so."""

    epsilon: float = 0.05
    """Entropy of "sinkhorn", as a part of the squared median distance; above 0."""

    n_iters: int = 50
    """Iterations of "sinkhorn", at least 1."""

    def __post_init__(self) -> None:
        if self.name not in DIVERGENCES:
            raise ValueError(f"`name` must be one of {DIVERGENCES}. Received {self.name!r}.")
        if self.nu not in MATERN:
            raise ValueError(f"`nu` must be one of {MATERN}. Received {self.nu}.")
        if self.biased and not self.name.startswith("mmd"):
            raise ValueError(f"`biased` must be False unless `name` is an mmd. Received {self.name!r}.")
        if self.moving and self.name != "mmd-rbf":
            raise ValueError(f"`moving` must be False unless `name` is 'mmd-rbf'. Received {self.name!r}.")
        require_positive(epsilon=self.epsilon)
        if self.n_iters < 1:
            raise ValueError(f"`n_iters` must be at least 1. Received {self.n_iters}.")


class Divergence(nn.Module):
    """A divergence by name, whose scale is fitted once, kept, and saved with the state.

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
        """Whether this divergence has a scale at all."""
        return self.settings.name not in ("mse", "energy") and not self.settings.moving

    @property
    def is_fitted(self) -> bool:
        """Whether `forward` may be called."""
        return not self.needs_fit or bool(torch.isfinite(self.scale))

    def fit(self, x: Float[Tensor, "n dim"]) -> "Divergence":
        """Set the scale to the median distance within `x` and return the divergence itself."""
        self.scale.fill_(median_distance(x))
        return self

    def forward(self, a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
        """How far the points `a` are from the points `b`; differentiable in both.

        Raises:
            RuntimeError: it needs a scale and was not fitted.
            ValueError: there are too few points, or they are of different sizes.
        """
        if not self.is_fitted:
            raise RuntimeError(
                f"A {self.settings.name!r} divergence needs a scale before it can compare. Call `fit` with "
                "features of demonstrations and prior data, or load a fitted state."
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
        bandwidth = mean_square(a, b) if settings.moving else scale.square()
        return mmd_rbf(a, b, bandwidth, settings.biased)

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"{self.settings.name}, scale={float(self.scale):.4g}"
