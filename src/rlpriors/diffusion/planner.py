"""Planning: candidate windows from one batch of samples, and the best one of each row."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import GuidanceSettings, Value
from rlpriors.diffusion.process import DiffusionProcess, denoising_residual
from rlpriors.diffusion.samplers import SAMPLERS, sample
from rlpriors.settings import check_fields
from rlpriors.types import Denoiser

__all__ = ["Plan", "Planner", "PlannerSettings"]


@dataclass(frozen=True)
class PlannerSettings:
    """Settings of the planner: candidates, sampler, guidance and ranking."""

    n_candidates: int = 16
    """Number of windows sampled for each plan, all in one batch; the best one is kept."""

    n_steps: int = 8
    """Number of denoising steps of each sample."""

    sampler: str = "ddim"
    """Sampler, a key of `diffusion.SAMPLERS`: "ddim", "ddpm", "dpm++2m", "euler" or "heun"."""

    eta: float = 0.0
    """Fraction of DDPM's noise that DDIM adds at each step, 0 to 1."""

    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    """Settings of the guidance by the value."""

    likelihood_weight: float = 0.0
    """Weight of the denoising residual in the ranking: value minus weight times residual.  Raise it when
    the value rates windows highly that the prior considers impossible."""

    warm_start: float = 0.0
    """Fraction of the schedule to which the previous plan is noised as a start, in [0, 1).  The number of
    denoising steps shrinks by the same fraction; 0 starts each plan from noise."""

    clip: float | None = 1.0
    """Bound on every entry of a (normalized) plan; None for no bound."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.n_candidates < 1:
            raise ValueError(f"`n_candidates` must be at least 1. Received {self.n_candidates}.")
        if self.n_steps < 1:
            raise ValueError(f"`n_steps` must be at least 1. Received {self.n_steps}.")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SAMPLERS)}. Received {self.sampler!r}.")
        if not 0 <= self.eta <= 1:
            raise ValueError(f"`eta` must be in [0, 1]. Received {self.eta}.")
        if self.likelihood_weight < 0:
            raise ValueError(f"`likelihood_weight` must be at least 0. Received {self.likelihood_weight}.")
        if not 0 <= self.warm_start < 1:
            raise ValueError(f"`warm_start` must be in [0, 1). Received {self.warm_start}.")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"`clip` must be positive or None. Received {self.clip}.")


class Plan(NamedTuple):
    """Best window of each row and its value."""

    window: Float[Tensor, "batch horizon dim"]
    value: Float[Tensor, " batch"]
    """Value of each window; 0 without a value function."""


class Planner:
    """Planner that samples candidates from a diffusion model and keeps the best.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the trained network.
        settings: number of candidates, sampler, guidance and ranking.

    Example:
        >>> from rlpriors.diffusion import Condition, DiffusionProcess, NoiseSchedule
        >>> process = DiffusionProcess(NoiseSchedule(10))
        >>> planner = Planner(process, lambda x, t: 0.5 * x, PlannerSettings(n_candidates=4, n_steps=2))
        >>> start = Condition.fix_steps(torch.zeros(3, 1, 2), horizon=8, dim=2)
        >>> plan = planner.plan(start, value=lambda x: x.sum((1, 2)))
        >>> plan.window.shape, plan.value.shape
        (torch.Size([3, 8, 2]), torch.Size([3]))
    """

    def __init__(
        self, process: DiffusionProcess, denoiser: Denoiser, settings: PlannerSettings | None = None
    ) -> None:
        self.process = process
        self.denoiser = denoiser
        self.settings = settings or PlannerSettings()

    @torch.no_grad()
    def plan(
        self,
        condition: Condition,
        value: Value | None = None,
        *,
        previous: Float[Tensor, "batch horizon dim"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Plan:
        """Return one window for each row of `condition`.

        Args:
            condition: the known entries of each window, usually its start state.
            value: the function that guides and ranks the candidates; None samples the prior and keeps
                the first.
            previous: the current plans, shifted to begin now; warm starts begin there.
            generator: the generator of all noise, on the condition's device.

        Raises:
            ValueError: the value function or the denoiser returned NaN or infinity.
        """
        settings, schedule = self.settings, self.process.schedule
        n = settings.n_candidates if value is not None else 1
        known = condition.repeat(n)
        x = torch.randn(known.value.shape, generator=generator, device=known.value.device)
        start, n_steps = None, settings.n_steps
        if settings.warm_start > 0 and previous is not None:
            start = round(settings.warm_start * (schedule.num_train_timesteps - 1))
            n_steps = max(1, round(settings.warm_start * settings.n_steps))
            t = torch.full((len(x),), start, device=x.device)
            x = self.process.q_sample(previous.repeat_interleave(n, 0), t, x)
        windows = sample(
            self.process,
            self.denoiser,
            x,
            n_steps=n_steps,
            sampler=settings.sampler,
            eta=settings.eta,
            start=start,
            condition=known,
            value=value,
            guidance=settings.guidance,
            clip=settings.clip,
            generator=generator,
        )
        if not windows.isfinite().all():
            source = "`denoiser`" if value is None else "`value` or `denoiser`"
            raise ValueError(
                f"{source} must return finite numbers. Received NaN or infinity, which spoiled a candidate; "
                "check the reward and the trained model, or lower the guidance weight."
            )
        if value is None:
            return Plan(windows, torch.zeros(len(windows), device=windows.device))
        values = value(windows)
        if not values.isfinite().all():
            raise ValueError(
                f"`value` must return finite numbers. Received {int((~values.isfinite()).sum())} of "
                f"{len(values)} that are not; check the reward model and its inputs."
            )
        score = values
        if settings.likelihood_weight > 0:
            residual = denoising_residual(
                self.process, self.denoiser, windows, condition=known, generator=generator
            )
            score = values - settings.likelihood_weight * residual
        best = rearrange(score, "(batch n) -> batch n", n=n).argmax(1)
        return Plan(_pick(windows, best, n), _pick(values, best, n))


def _pick(candidates: Tensor, best: Int[Tensor, " batch"], n: int) -> Tensor:
    rows = torch.arange(len(best), device=best.device)
    return rearrange(candidates, "(batch n) ... -> batch n ...", n=n)[rows, best]
