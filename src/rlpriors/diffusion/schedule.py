"""How much of the signal is left at each diffusion time (variance-preserving schedules)."""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["BetaSchedule", "NoiseSchedule"]

BetaSchedule = Literal["cosine", "linear"]


class NoiseSchedule(nn.Module):
    """The variance-preserving schedule x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise.

    `alphas_cumprod[t]` is abar_t: close to 1 at t = 0, close to 0 at the last timestep.  It is a
    buffer, so the schedule follows its owner to any device, and it is not saved: it is determined
    by the arguments.

    Args:
        num_train_timesteps: how many noise levels there are, at least 2.
        beta_schedule: "cosine" (Nichol & Dhariwal 2021, arXiv 2102.09672, eq. 17) or "linear"
            (Ho et al. 2020, arXiv 2006.11239, section 4, rescaled from its 1000 timesteps).

    Example:
        >>> schedule = NoiseSchedule(50)
        >>> schedule.num_train_timesteps, bool(schedule.alphas_cumprod[0] > 0.99)
        (50, True)
    """

    alphas_cumprod: Tensor

    def __init__(self, num_train_timesteps: int = 50, beta_schedule: BetaSchedule = "cosine") -> None:
        super().__init__()
        if num_train_timesteps < 2:
            raise ValueError(f"`num_train_timesteps` must be at least 2. Received {num_train_timesteps}.")
        if beta_schedule not in get_args(BetaSchedule):
            raise ValueError(
                f"`beta_schedule` must be one of {get_args(BetaSchedule)}. Received {beta_schedule!r}."
            )
        self.num_train_timesteps = num_train_timesteps
        betas = _cosine_betas if beta_schedule == "cosine" else _linear_betas
        alphas_cumprod = torch.cumprod(1.0 - betas(num_train_timesteps), dim=0)
        self.register_buffer("alphas_cumprod", alphas_cumprod.float(), persistent=False)

    def at(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 1"]:
        """abar_t for each row of a batch of windows; t = -1 means no noise (abar = 1)."""
        alphas_cumprod = self.alphas_cumprod[t.clamp(min=0)]
        return torch.where(t < 0, 1.0, alphas_cumprod)[:, None, None]

    def timesteps(self, n_steps: int, start: int | None = None) -> list[int]:
        """`n_steps` times from `start` (default: the noisiest) down to 0, evenly spaced."""
        start = self.num_train_timesteps - 1 if start is None else start
        if not 0 <= start < self.num_train_timesteps:
            raise ValueError(f"`start` must be in [0, {self.num_train_timesteps - 1}]. Received {start}.")
        if not 1 <= n_steps <= self.num_train_timesteps:
            raise ValueError(
                f"`n_steps` must be in [1, {self.num_train_timesteps}], the number of trained "
                f"timesteps. Received {n_steps}."
            )
        # A warm start near 0 has fewer distinct times than steps asked for: take those there are.
        return torch.linspace(start, 0, min(n_steps, start + 1)).round().int().tolist()


def _cosine_betas(n: int, offset: float = 0.008) -> Tensor:
    times = torch.arange(n + 1, dtype=torch.float64) / n
    alphas_cumprod = torch.cos((times + offset) / (1 + offset) * math.pi / 2) ** 2
    # The last ratio would be 0/x: 0.999 keeps the final timestep finite, as in the paper.
    return (1 - alphas_cumprod[1:] / alphas_cumprod[:-1]).clamp(max=0.999)


def _linear_betas(n: int) -> Tensor:
    scale = 1000 / n
    return torch.linspace(1e-4 * scale, 0.02 * scale, n, dtype=torch.float64).clamp(max=0.999)
