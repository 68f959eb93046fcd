"""Sampling of windows from noise, in any number of denoising steps.

`Sampling`        constants of one sampling run
`Predicted`       clean windows predicted at a diffusion time
`denoising_step`  one step: known entries, guidance, network, solver
`sample`          all steps, from the noisiest time to 0
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import (
    GuidanceSettings,
    Value,
    guide_clean,
    guide_noisy,
    guide_posterior,
    straight_through_clamp,
)
from rlpriors.diffusion.process import DiffusionProcess
from rlpriors.diffusion.solvers import SAMPLERS, Step, ddim_step, ddpm_step, posterior_variance
from rlpriors.settings import check_fields
from rlpriors.types import Denoiser

__all__ = [
    "SAMPLERS",
    "Predicted",
    "Sampling",
    "Step",
    "ddim_step",
    "ddpm_step",
    "denoising_step",
    "posterior_variance",
    "sample",
]


@dataclass(frozen=True)
class Sampling:
    """Constants of one sampling run.

    Example:
        >>> from rlpriors.diffusion import NoiseSchedule
        >>> run = Sampling(DiffusionProcess(NoiseSchedule(10)), lambda x, t: 0.5 * x)
        >>> x = torch.ones(1, 4, 2)
        >>> x, predicted = denoising_step(run, x, torch.zeros_like(x), time=9, next_time=-1)
        >>> x[0, 0].tolist(), predicted.time
        ([0.5, 0.5], 9)
    """

    process: DiffusionProcess
    """Noise levels and the meaning of the prediction."""

    denoiser: Denoiser
    """The trained network."""

    sampler: str = "ddim"
    """Sampler, a key of `SAMPLERS`: "ddim", "ddpm", "dpm++2m", "euler" or "heun"."""

    eta: float = 0.0
    """Fraction of DDPM's noise that DDIM adds at each step, 0 to 1."""

    condition: Condition | None = None
    """Known entries, written into the windows at every step."""

    value: Value | None = None
    """Function of windows that guidance raises; None for unguided samples."""

    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)
    """Settings of the guidance."""

    clip: float | None = 1.0
    """Bound on every entry of the predicted clean window; None for no bound."""

    create_graph: bool = False
    """Switch that makes samples differentiable in the value's parameters."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.sampler not in SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SAMPLERS)}. Received {self.sampler!r}.")

        if self.guided and self.guidance.space == "noisy" and not self.process.schedule.preserves_variance:
            raise ValueError(
                '`guidance.space` "noisy" needs a schedule that preserves variance ("cosine" or "linear"). '
                f"Received the schedule "
                f'{self.process.schedule.beta_schedule!r}; guide in space "clean".'
            )

    @property
    def guided(self) -> bool:
        """True if the value moves the samples."""
        return self.value is not None and self.guidance.weight > 0

    def predict(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict the clean window of `x`: guided, clamped, with the known entries written in."""
        if self.guided and self.guidance.space == "posterior":
            return self._finish(self._posterior(x, t))
        x_start = self.process.denoise(self.denoiser, x, t, self.condition)
        if self.guided and self.guidance.space == "clean":
            assert self.value is not None
            abar = self.process.schedule.at(t)
            x_start = guide_clean(self.value, self.guidance, x_start, abar, create_graph=self.create_graph)
        return self._finish(x_start)

    def _posterior(self, x: Tensor, t: Tensor) -> Tensor:
        assert self.value is not None

        def predict(x_t: Tensor, t: Tensor) -> Tensor:
            return self._finish(self.process.denoise(self.denoiser, self.known(x_t), t, self.condition))

        # Of torch's attention kernels only this one can be differentiated twice.
        with sdpa_kernel(SDPBackend.MATH) if self.create_graph else nullcontext():
            return guide_posterior(
                self.value,
                self.guidance,
                predict,
                x,
                t,
                self.process.schedule,
                create_graph=self.create_graph,
            )

    def _finish(self, x_start: Tensor) -> Tensor:
        """Return predicted clean windows within `clip`, with the known entries written in."""
        return self.known(x_start if self.clip is None else straight_through_clamp(x_start, self.clip))

    def known(self, x: Tensor) -> Tensor:
        """Return `x` with the known entries written in."""
        return x if self.condition is None else self.condition.apply(x)


class Predicted(NamedTuple):
    """Clean windows predicted in a step, and the diffusion time of the step."""

    x_start: Float[Tensor, "batch horizon dim"]
    time: int


def denoising_step(
    run: Sampling,
    x: Float[Tensor, "batch horizon dim"],
    noise: Float[Tensor, "batch horizon dim"],
    time: int,
    next_time: int,
    previous: Predicted | None = None,
) -> tuple[Float[Tensor, "batch horizon dim"], Predicted]:
    """Return the windows at diffusion time `next_time` and the clean windows predicted on the way.

    Args:
        run: the constants of the sampling run.
        x: windows at `time`.
        noise: standard normal noise, for stochastic samplers.
        time: the diffusion time of `x`.
        next_time: the next, less noisy time; -1 for no noise.
        previous: the prediction of the previous step, for multistep samplers.
    """
    t, s = (torch.full((len(x),), k, device=x.device) for k in (time, next_time))
    abar_t, abar_s = run.process.schedule.at(t), run.process.schedule.at(s)
    guidance = run.guidance
    x = run.known(x)
    if run.guided and guidance.space == "noisy" and time >= guidance.stop_below:
        for _ in range(guidance.n_repeats):
            assert run.value is not None
            variance = posterior_variance(abar_t, abar_s)
            x = run.known(guide_noisy(run.value, guidance, x, variance, create_graph=run.create_graph))
    x_start = run.predict(x, t)
    last = next_time < 0
    scale_t, scale_s = run.process.schedule.scale_at(t), run.process.schedule.scale_at(s)
    past = None
    if previous is not None and not last:
        past = previous.x_start, run.process.schedule.at(torch.full_like(t, previous.time))

    def again(x_s: Tensor) -> Tensor:
        return run.predict(run.known(scale_s * x_s), s)

    step = Step(x / scale_t, x_start, abar_t, abar_s, noise, run.eta, past, None if last else again)
    return scale_s * SAMPLERS[run.sampler](step), Predicted(x_start, time)


def sample(
    process: DiffusionProcess,
    denoiser: Denoiser,
    x: Float[Tensor, "batch horizon dim"],
    *,
    n_steps: int,
    sampler: str = "ddim",
    eta: float = 0.0,
    start: int | None = None,
    condition: Condition | None = None,
    value: Value | None = None,
    guidance: GuidanceSettings | None = None,
    clip: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch horizon dim"]:
    """Denoise `x` down to clean windows.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the trained network.
        x: standard normal noise, or with `start` windows noised to that time.
        n_steps: number of denoising steps.  Each calls the network once; "heun" calls it twice, except
            in the last step.
        sampler: a key of `SAMPLERS`.
        eta: fraction of DDPM's noise that DDIM adds at each step, 0 to 1.
        start: the diffusion time of `x`; None for the noisiest.
        condition: known entries, written into the windows at every step.
        value: function of windows that guidance raises; None for unguided samples.
        guidance: settings of the guidance.
        clip: bound on every entry of the predicted clean window; None for no bound.
        generator: the generator of the samplers' noise.
    """
    run = Sampling(process, denoiser, sampler, eta, condition, value, guidance or GuidanceSettings(), clip)
    times = process.schedule.timesteps(n_steps, start)
    x = process.from_noise(x) if start is None else x
    previous: Predicted | None = None
    for time, next_time in zip(times, [*times[1:], -1], strict=True):
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        x, previous = denoising_step(run, x, noise, time, next_time, previous)
    return run.known(x)
