"""Noise schedules: signal and noise levels at each diffusion time.

`NoiseSchedule`  noise levels of a diffusion process

All schedules follow x_t = signal_t x_0 + noise_t noise.  Division by
scale_t = sqrt(signal_t^2 + noise_t^2) gives the variance-preserving form
sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise, the only form that solvers and guidance use.
"""

import math
from functools import partial
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.arguments import check_arguments

__all__ = ["BetaSchedule", "NoiseSchedule"]

BetaSchedule = Literal["cosine", "linear", "edm", "rectified_flow"]

_MOST = 1_000_000  # noise levels
_NEARLY_NOISE = 0.999  # last time of a rectified flow; at 1 the signal, a divisor, would be 0


class NoiseSchedule(nn.Module):
    """Noise levels of a diffusion process.

    "cosine" and "linear" preserve variance.  "edm" adds noise to the window (x_t = x_0 + sigma_t noise).
    "rectified_flow" interpolates (x_t = (1 - u) x_0 + u noise with u evenly spaced up to 0.999).

    `alphas_cumprod[t]` is abar_t, the fraction of the variance that is signal: close to 1 at t = 0,
    close to 0 at the last timestep.  `alphas_cumprod` and `scale` are buffers that move with the
    schedule's owner to any device.  They are not saved, because the arguments determine them.

    Args:
        num_train_timesteps: number of noise levels, 2 to a million, and the upper bound of sampling steps.
            "edm" and "rectified_flow" need many, such as 1000.
        beta_schedule: "cosine" (Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 17), "linear" (Ho et
            al. 2020, arXiv 2006.11239, section 4, rescaled from its 1000 timesteps), "edm" (Karras
            et al. 2022, arXiv 2206.00364, eq. 5) or "rectified_flow" (Liu et al. 2022, arXiv
            2209.03003, eq. 1).
        sigma_range: smallest and largest noise of "edm".
        rho: density of "edm"'s levels at low noise.

    Example:
        >>> schedule = NoiseSchedule(50)
        >>> schedule.num_train_timesteps, bool(schedule.alphas_cumprod[0] > 0.99)
        (50, True)
        >>> signal, noise = NoiseSchedule(2, "edm").coefficients(torch.tensor([0, 1]))
        >>> [round(sigma, 3) for sigma in noise.flatten().tolist()]
        [0.002, 80.0]
    """

    alphas_cumprod: Tensor
    scale: Tensor

    @partial(check_arguments, unbounded=("rho",))
    def __init__(
        self,
        num_train_timesteps: int = 50,
        beta_schedule: BetaSchedule = "cosine",
        *,
        sigma_range: tuple[float, float] = (0.002, 80.0),
        rho: float = 7.0,
    ) -> None:
        super().__init__()
        if num_train_timesteps < 2:
            raise ValueError(f"`num_train_timesteps` must be at least 2. Received {num_train_timesteps}.")
        if num_train_timesteps > _MOST:
            raise ValueError(
                f"`num_train_timesteps` must be at most {_MOST}. Received {num_train_timesteps}."
            )
        if beta_schedule not in get_args(BetaSchedule):
            raise ValueError(
                f"`beta_schedule` must be one of {get_args(BetaSchedule)}. Received {beta_schedule!r}."
            )
        if not 0 < sigma_range[0] < sigma_range[1] < math.inf:
            raise ValueError(f"`sigma_range` must be two rising positive numbers. Received {sigma_range}.")
        if not rho > 0:
            raise ValueError(f"`rho` must be positive. Received {rho}.")
        self.num_train_timesteps, self.beta_schedule = num_train_timesteps, beta_schedule
        self.preserves_variance = beta_schedule in ("cosine", "linear")
        n = num_train_timesteps
        if self.preserves_variance:
            betas = _cosine_betas(n) if beta_schedule == "cosine" else _linear_betas(n)
            alphas_cumprod = torch.cumprod(1.0 - betas, dim=0)
            scale = torch.ones_like(alphas_cumprod)
        else:
            noise = _karras_sigmas(n, sigma_range, rho) if beta_schedule == "edm" else _straight(n)
            signal = torch.ones_like(noise) if beta_schedule == "edm" else 1 - noise
            scale = (signal**2 + noise**2).sqrt()
            alphas_cumprod = (signal / scale) ** 2
        if not (alphas_cumprod.float() < 1).all():
            raise ValueError(
                f"`sigma_range` must begin above rounding error, at about 0.001. Received {sigma_range}."
            )
        self.register_buffer("alphas_cumprod", alphas_cumprod.float(), persistent=False)
        self.register_buffer("scale", scale.float(), persistent=False)

    def at(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 1"]:
        """Return abar_t for each row of a batch of windows; t = -1 means no noise (abar = 1)."""
        return _rows(self.alphas_cumprod, t)

    def scale_at(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 1"]:
        """Return the divisor of x_t in variance-preserving form; 1 for t = -1."""
        return _rows(self.scale, t)

    def coefficients(
        self, t: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch 1 1"], Float[Tensor, "batch 1 1"]]:
        """Return signal_t and noise_t of x_t = signal_t x_0 + noise_t noise."""
        abar = self.at(t)
        signal, noise = abar.sqrt(), (1 - abar).sqrt()
        if self.preserves_variance:
            return signal, noise
        scale = self.scale_at(t)
        return scale * signal, scale * noise

    def timesteps(self, n_steps: int, start: int | None = None) -> list[int]:
        """Return `n_steps` evenly spaced times from `start` (default: the noisiest) down to 0."""
        start = self.num_train_timesteps - 1 if start is None else start
        if not 0 <= start < self.num_train_timesteps:
            raise ValueError(f"`start` must be in [0, {self.num_train_timesteps - 1}]. Received {start}.")
        if not 1 <= n_steps <= self.num_train_timesteps:
            raise ValueError(
                f"`n_steps` must be in [1, {self.num_train_timesteps}], the number of trained "
                f"timesteps. Received {n_steps}."
            )
        # A warm start near 0 has fewer distinct times than `n_steps`.
        return torch.linspace(start, 0, min(n_steps, start + 1)).round().int().tolist()


def _cosine_betas(n: int, offset: float = 0.008) -> Tensor:
    times = torch.arange(n + 1, dtype=torch.float64) / n
    alphas_cumprod = torch.cos((times + offset) / (1 + offset) * math.pi / 2) ** 2
    # The last ratio would be 0/x: 0.999 keeps the final timestep finite, as in the paper.
    return (1 - alphas_cumprod[1:] / alphas_cumprod[:-1]).clamp(max=0.999)


def _linear_betas(n: int) -> Tensor:
    scale = 1000 / n
    return torch.linspace(1e-4 * scale, 0.02 * scale, n, dtype=torch.float64).clamp(max=0.999)


def _karras_sigmas(n: int, bounds: tuple[float, float], rho: float) -> Tensor:
    low, high = (bound ** (1 / rho) for bound in bounds)
    return torch.linspace(low, high, n, dtype=torch.float64) ** rho


def _straight(n: int) -> Tensor:
    return _NEARLY_NOISE * torch.arange(1, n + 1, dtype=torch.float64) / n


def _rows(levels: Tensor, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 1"]:
    return torch.where(t < 0, 1.0, levels[t.clamp(min=0)])[:, None, None]
