"""Score models with continuous noise levels: preconditioning, training noise and samplers of EDM.

`EDM`                 preconditioning, loss and sampling (Karras et al. 2022, arXiv 2206.00364)
`ScaledDenoiser`      protocol of the networks
`log_logistic`        noise levels of training
`exponential_sigmas`  noise levels of sampling
`SIGMA_SAMPLERS`      update rules by name

x = x_0 + sigma noise.  `DiffusionProcess` has the same preconditioning for a table of noise levels.  Here
sigma is any positive number, so that a run of 3 steps may choose its levels freely.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.diffusion.conditions import Condition
from rlpriors.settings import check_fields

__all__ = ["EDM", "SIGMA_SAMPLERS", "ScaledDenoiser", "exponential_sigmas", "log_logistic"]


@runtime_checkable
class ScaledDenoiser(Protocol):
    """Network F(c_in x, c_noise) of `EDM`; c_noise is ln(sigma) / 4, one number for each window."""

    def __call__(
        self, x: Float[Tensor, "batch horizon dim"], c_noise: Float[Tensor, " batch"], /
    ) -> Float[Tensor, "batch horizon dim"]: ...


@dataclass(frozen=True)
class EDM:
    """Preconditioning, loss and sampling of a score model, for windows of standard deviation `sigma_data`.

    Known entries of a `Condition` are neither noised nor scaled, and the loss leaves them out.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> edm = EDM(sigma_data=0.5, sigma_range=(0.01, 10.0))
        >>> sigma = torch.tensor([0.5])
        >>> [round(float(c), 3) for c in edm.coefficients(sigma)]
        [1.414, 0.5, 0.354, -0.173]
        >>> ones = lambda x, sigma: torch.ones_like(x)  # data that are always 1
        >>> edm.sample(edm.network_of(ones), torch.zeros(1, 2, 1), n_steps=3).flatten().tolist()
        [1.0, 1.0]
    """

    sigma_data: float = 0.5
    """Standard deviation of the data's entries; 0.5 for entries in [-1, 1]."""
    sigma_range: tuple[float, float] = (0.05, 4.0)
    """Smallest and largest noise level of training and sampling."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.sigma_data > 0:
            raise ValueError(f"`sigma_data` must be positive. Received {self.sigma_data}.")
        if not 0 < self.sigma_range[0] < self.sigma_range[1]:
            raise ValueError(
                f"`sigma_range` must be two rising positive numbers. Received {self.sigma_range}."
            )

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return c_in, c_skip, c_out and c_noise of noise levels (arXiv 2206.00364, table 1)."""
        total = (sigma**2 + self.sigma_data**2).sqrt()
        return 1 / total, (self.sigma_data / total) ** 2, sigma * self.sigma_data / total, sigma.log() / 4

    def denoise(
        self,
        network: ScaledDenoiser,
        x: Float[Tensor, "batch horizon dim"],
        sigma: Float[Tensor, " batch"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the clean windows c_skip x + c_out F(c_in x, c_noise) (eq. 7), with the known entries."""
        _, c_skip, c_out, _ = (_rows(part) for part in self.coefficients(sigma))
        clean = c_skip * x + c_out * self._output(network, x, sigma, condition)
        return clean if condition is None else condition.apply(clean)

    def loss(
        self,
        network: ScaledDenoiser,
        x_start: Float[Tensor, "batch horizon dim"],
        *,
        sigma: Float[Tensor, " batch"],
        noise: Float[Tensor, "batch horizon dim"],
        condition: Condition | None = None,
        weight: Float[Tensor, "..."] | None = None,
    ) -> Float[Tensor, ""]:
        """Compute the mean of (F - (x_0 - c_skip x) / c_out)^2 over the unknown entries.

        It is the loss of eq. 8 with the weight 1 / c_out^2.

        Args:
            network: network that is trained.
            x_start: clean windows.
            sigma: noise level of each window.
            noise: standard normal noise.
            condition: entries that are known in sampling.
            weight: non-negative weights that broadcast to the windows.
        """
        x = x_start + _rows(sigma) * noise
        _, c_skip, c_out, _ = (_rows(part) for part in self.coefficients(sigma))
        count = torch.ones_like(x_start) if weight is None else weight.expand_as(x_start)
        if condition is not None:
            count = count * ~condition.mask
        error = self._output(network, x, sigma, condition) - (x_start - c_skip * x) / c_out
        return (error.square() * count).sum() / count.sum().clamp(min=1e-8)

    def draw_sigma(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, " n"]:
        """Draw noise levels of a training batch, on the generator's device."""
        return log_logistic(n, math.log(self.sigma_data), 0.5, self.sigma_range, generator)

    @torch.no_grad()
    def sample(
        self,
        network: ScaledDenoiser,
        noise: Float[Tensor, "batch horizon dim"],
        *,
        n_steps: int = 3,
        sampler: str = "ddim",
        condition: Condition | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "batch horizon dim"]:
        """Sample windows from standard normal noise.

        Args:
            network: trained network.
            noise: standard normal noise, one row for each window.
            n_steps: number of steps, each with one call of the network.
            sampler: a key of `SIGMA_SAMPLERS`.
            condition: known entries.
            generator: random generator of the noise of "euler_ancestral".

        Raises:
            ValueError: `n_steps` is below 1, or the sampler is unknown.
        """
        if sampler not in SIGMA_SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SIGMA_SAMPLERS)}. Received {sampler!r}.")
        rule = SIGMA_SAMPLERS[sampler]
        sigmas = exponential_sigmas(n_steps, self.sigma_range)
        x = sigmas[0] * noise
        for now, then in pairwise(sigmas):
            clean = self.denoise(network, x, x.new_full((len(x),), now), condition)
            fresh = torch.zeros_like(x)
            if then > 0 and sampler != "ddim":
                fresh = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = rule(x, clean, now, then, fresh)
        return x if condition is None else condition.apply(x)

    def network_of(self, denoise: Callable[[Tensor, Tensor], Tensor]) -> ScaledDenoiser:
        """Return the network F whose clean windows are `denoise(x, sigma)`, for a denoiser in closed form."""

        def network(x: Tensor, c_noise: Tensor, /) -> Tensor:
            sigma = (4 * c_noise).exp()
            c_in, c_skip, c_out, _ = (_rows(part) for part in self.coefficients(sigma))
            return (denoise(x / c_in, _rows(sigma)) - c_skip * x / c_in) / c_out

        return network

    def _output(
        self, network: ScaledDenoiser, x: Tensor, sigma: Tensor, condition: Condition | None
    ) -> Tensor:
        c_in, _, _, c_noise = self.coefficients(sigma)
        scaled = _rows(c_in) * x
        return network(scaled if condition is None else condition.apply(scaled), c_noise)


def log_logistic(
    n: int,
    loc: float,
    scale: float,
    bounds: tuple[float, float],
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Draw noise levels whose logarithms are logistic, cut to `bounds`.

    ln(sigma) = loc + scale ln(u / (1 - u)), with u uniform between the fractions of the bounds.

    Example:
        >>> draws = log_logistic(1000, 0.0, 0.5, (0.5, 2.0), torch.Generator().manual_seed(0))
        >>> bool(draws.min() >= 0.5), bool(draws.max() <= 2.0)
        (True, True)
    """
    if not scale > 0 or not 0 < bounds[0] < bounds[1]:
        raise ValueError(
            "`scale` must be positive, and `bounds` two rising positive numbers. Received "
            f"{scale} and {bounds}."
        )
    low, high = (1 / (1 + math.exp((loc - math.log(bound)) / scale)) for bound in bounds)
    device = "cpu" if generator is None else generator.device
    u = low + (high - low) * torch.rand(n, generator=generator, device=device, dtype=torch.float64)
    return (loc + scale * torch.logit(u)).exp().clamp(*bounds).float()


def exponential_sigmas(n_steps: int, bounds: tuple[float, float]) -> list[float]:
    """Return `n_steps` noise levels that fall by one factor from the largest to the smallest, and 0.

    One step has the largest level only.

    Example:
        >>> [round(sigma, 6) for sigma in exponential_sigmas(3, (0.01, 1.0))]
        [1.0, 0.1, 0.01, 0.0]
    """
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1. Received {n_steps}.")
    low, high = bounds
    ratio = 1.0 if n_steps == 1 else (low / high) ** (1 / (n_steps - 1))
    return [high * ratio**i for i in range(n_steps)] + [0.0]


def _ddim(x: Tensor, clean: Tensor, now: float, then: float, noise: Tensor) -> Tensor:
    """Keep the predicted window and noise (arXiv 2010.02502, eq. 12 without noise), Euler's rule in sigma."""
    return clean + then / now * (x - clean)


def _euler_ancestral(x: Tensor, clean: Tensor, now: float, then: float, noise: Tensor) -> Tensor:
    """Draw from q(x_then | x_now, x_0 = clean) (arXiv 2006.11239, eq. 6, in sigma)."""
    ratio = (then / now) ** 2
    return clean + ratio * (x - clean) + then * math.sqrt(1 - ratio) * noise


SIGMA_SAMPLERS: dict[str, Callable[[Tensor, Tensor, float, float, Tensor], Tensor]] = {
    "ddim": _ddim,
    "euler_ancestral": _euler_ancestral,
}
"""Update rules by name, functions of x, the predicted window, both noise levels and standard normal noise."""


def _rows(level: Tensor) -> Float[Tensor, "batch 1 1"]:
    return level[:, None, None]
