"""Differentiating through a whole sampling chain, in the parameters of the value that guides it.

`guided_chain` gives the samples of `sample` with a gradient: how a reward must change for the
windows that it leads to to change.  What is kept for the backward pass is a choice:

"full"        everything that every step computes: memory grows with the steps times the network
"checkpoint"  each step's noisy window alone; the step is computed again on the way back (Chen et
              al. 2016, arXiv 1604.06174)
K             the last K steps, the ones before being taken as they are (DRaFT-K: Clark et al. 2023,
              arXiv 2309.17400, section 3.2): a biased gradient, in memory that does not grow at all
"""

from dataclasses import replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import GuidanceSettings, Value
from rlpriors.diffusion.process import DiffusionProcess
from rlpriors.diffusion.samplers import Predicted, Sampling, denoising_step
from rlpriors.types import Denoiser

__all__ = ["ChainGradient", "guided_chain"]

ChainGradient: TypeAlias = Literal["full", "checkpoint"] | int


def guided_chain(
    process: DiffusionProcess,
    denoiser: Denoiser,
    x: Float[Tensor, "batch horizon dim"],
    *,
    n_steps: int,
    sampler: str = "ddim",
    eta: float = 0.0,
    start: int | None = None,
    condition: Condition | None = None,
    value: Value,
    guidance: GuidanceSettings | None = None,
    clip: float | None = 1.0,
    generator: torch.Generator | None = None,
    gradient: ChainGradient = "checkpoint",
) -> Float[Tensor, "batch horizon dim"]:
    """The samples of `sample` for equal noise, differentiable in the value's parameters.

    The denoiser is differentiated in its input.  Freeze its parameters
    (`denoiser.requires_grad_(False)`) unless they too are to be learned.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the trained network.
        x: standard normal noise; or, with `start`, windows already noised to that time.
        n_steps: denoising steps.
        sampler: a key of `SAMPLERS`.
        eta: noise that DDIM adds, 0 (none) to 1 (as much as DDPM).
        start: the diffusion time of `x`; None for the noisiest.
        condition: known entries, written in at every step.
        value: what guidance raises, and what is learned.
        guidance: how it does.
        clip: bound on every entry of the predicted clean window; None for no bound.
        generator: source of the samplers' noise.
        gradient: what is kept for the backward pass: "full", "checkpoint", or the number of last
            steps that are differentiated.

    Raises:
        ValueError: `gradient` is something else or below 1, or guidance is switched off.
    """
    guidance = guidance or GuidanceSettings()
    if guidance.weight == 0:
        raise ValueError(
            "`guidance.weight` must be positive: without guidance no sample depends on `value`. Received 0."
        )
    whole = gradient in ("full", "checkpoint")
    if not whole and (isinstance(gradient, (str, bool)) or gradient < 1):
        raise ValueError(
            '`gradient` must be "full", "checkpoint" or a number of last steps of at least 1. '
            f"Received {gradient!r}."
        )
    times = process.schedule.timesteps(n_steps, start)
    n_free = 0 if isinstance(gradient, str) else max(0, len(times) - gradient)
    run = Sampling(process, denoiser, sampler, eta, condition, value, guidance, clip, create_graph=True)
    previous: Predicted | None = None
    for number, (time, next_time) in enumerate(zip(times, [*times[1:], -1], strict=True)):
        # Outside of the step: computed a second time, it must see the same noise.
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        if number < n_free:
            with torch.no_grad():
                x, previous = denoising_step(
                    replace(run, create_graph=False), x, noise, time, next_time, previous
                )
        elif gradient == "checkpoint":
            x, previous = checkpoint(  # no global random state is used, so none is kept
                denoising_step,
                run,
                x,
                noise,
                time,
                next_time,
                previous,
                use_reentrant=False,
                preserve_rng_state=False,
            )
        else:
            x, previous = denoising_step(run, x, noise, time, next_time, previous)
    return run.known(x)
