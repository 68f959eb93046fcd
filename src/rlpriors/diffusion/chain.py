"""Differentiating through a whole sampling chain, in the parameters of the value that guides it.

`guided_chain` gives the samples of `sample` with a gradient: how a reward must change for the
windows that it leads to to change.  What is kept for the backward pass is a choice:

"full"        everything that every step computes: memory grows with the steps times the network
"checkpoint"  the windows and the noise that go into each step; the step itself is computed again on
              the way back (Chen et al. 2016, arXiv 1604.06174)
K             the last K steps, the ones before being taken as they are (DRaFT-K: Clark et al. 2023,
              arXiv 2309.17400, section 3.2): a biased gradient, in memory that does not grow at all
"""

from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import GuidanceSettings, Value
from rlpriors.diffusion.process import DiffusionProcess
from rlpriors.diffusion.samplers import Predicted, Sampling, denoising_step
from rlpriors.diffusion.solvers import MULTISTEP
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
    x = process.from_noise(x) if start is None else x
    plain = replace(run, create_graph=False)
    learned: tuple[Tensor, ...] | None = None
    previous: Predicted | None = None
    for number, (time, next_time) in enumerate(zip(times, [*times[1:], -1], strict=True)):
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        if number < n_free:
            with torch.no_grad():
                x, previous = denoising_step(plain, x, noise, time, next_time, previous)
        elif gradient == "checkpoint":
            if learned is None:
                learned = _leaves(denoising_step(run, x.detach(), noise, time, next_time)[0])
            seen, past = previous if previous is not None and sampler in MULTISTEP else (None, -1)
            step = cast(Any, _Recomputed).apply  # without types in torch
            x, x_start = step(run, (past, time, next_time), noise, x, seen, *learned)
            previous = Predicted(x_start, time)
        else:
            x, previous = denoising_step(run, x, noise, time, next_time, previous)
    return run.known(x)


class _Recomputed(torch.autograd.Function):
    """A denoising step that keeps its inputs alone.

    `torch.utils.checkpoint` would do, were it not for the gradient that guidance takes inside of the
    step: torch 2.13 then keeps what it computed again for it, and needs more memory than "full".
    What is learned must be an input for its gradient to come out.
    """

    @staticmethod
    def forward(
        ctx: Any,
        run: Sampling,
        times: tuple[int, int, int],
        noise: Tensor,
        x: Tensor,
        seen: Tensor | None,
        *learned: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.run, ctx.times = run, times
        kind = x.device.type  # the backward pass runs outside of the caller's autocast
        ctx.precision = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        ctx.save_for_backward(noise, x, seen, *learned)
        past, time, next_time = times
        previous = None if seen is None else Predicted(seen, past)
        x, predicted = denoising_step(replace(run, create_graph=False), x, noise, time, next_time, previous)
        return x, predicted.x_start

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        noise, x, seen, *learned = ctx.saved_tensors
        past, time, next_time = ctx.times
        kind, dtype, enabled = ctx.precision
        with torch.enable_grad(), torch.autocast(kind, dtype, enabled):
            x = x.detach().requires_grad_()
            seen = None if seen is None else seen.detach().requires_grad_()
            previous = None if seen is None else Predicted(seen, past)
            after, predicted = denoising_step(ctx.run, x, noise, time, next_time, previous)
        inputs = [x, *learned] if seen is None else [x, seen, *learned]
        # Kept: the learned tensors may themselves come from a graph that later steps go through.
        inner = torch.autograd.grad(
            (after, predicted.x_start), inputs, outer, retain_graph=True, allow_unused=True
        )
        rest = inner if seen is not None else (inner[0], None, *inner[1:])
        return None, None, None, *rest


def _leaves(output: Tensor) -> tuple[Tensor, ...]:
    """The tensors that a result was computed from and that want a gradient."""
    found: dict[int, Tensor] = {}
    seen, todo = set(), [output.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)  # an AccumulateGrad has one
        if leaf is not None:
            found[id(leaf)] = leaf
        todo.extend(parent for parent, _ in node.next_functions)
    return tuple(found.values())
