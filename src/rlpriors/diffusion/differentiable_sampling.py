"""Sampling that is differentiable in the parameters of the value that guides it.

`differentiable_sample`  the samples of `sample`, with a gradient
`GradientMode`           steps that are differentiated and tensors stored for the backward pass

The gradient describes the change of a reward that produces a change of the guided windows.  The modes
store different tensors for the backward pass:

"full"        all intermediate results of every step: memory grows with the steps times the network
"checkpoint"  the windows and the noise at the beginning of each step; the backward pass computes the step
              again (Chen et al. 2016, arXiv 1604.06174)
K             the last K steps; earlier steps are constants (DRaFT-K: Clark et al. 2023, arXiv 2309.17400,
              section 3.2): a biased gradient, in memory that does not depend on the number of steps
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

__all__ = ["GradientMode", "differentiable_sample"]

GradientMode: TypeAlias = Literal["full", "checkpoint"] | int


def differentiable_sample(
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
    gradient: GradientMode = "checkpoint",
) -> Float[Tensor, "batch horizon dim"]:
    """Draw the samples of `sample` for equal noise, differentiable in the value's parameters.

    The denoiser is differentiated in its input.  Freeze its parameters
    (`denoiser.requires_grad_(False)`) unless they are trained too.

    Args:
        process: noise levels and the prediction type of the denoiser.
        denoiser: the trained network.
        x: standard normal noise; or, with `start`, windows already noised to that time.
        n_steps: number of denoising steps.
        sampler: a key of `SAMPLERS`.
        eta: noise that DDIM adds, 0 (none) to 1 (as much as DDPM).
        start: the diffusion time of `x`; None for the noisiest.
        condition: known entries, written in at every step.
        value: function that guidance raises and that is trained.
        guidance: settings of the guidance.
        clip: bound on every entry of the predicted clean window; None for no bound.
        generator: random generator of the samplers' noise.
        gradient: "full", "checkpoint", or the number of last steps that are differentiated.

    Raises:
        ValueError: `gradient` has another value or is less than 1, or guidance is switched off.
    """
    guidance = guidance or GuidanceSettings()
    if guidance.weight == 0:
        raise ValueError(
            "`guidance.weight` must be positive: without guidance no sample depends on `value`. Received 0."
        )
    all_steps = gradient in ("full", "checkpoint")
    if not all_steps and (isinstance(gradient, (str, bool)) or gradient < 1):
        raise ValueError(
            '`gradient` must be "full", "checkpoint" or a number of last steps of at least 1. '
            f"Received {gradient!r}."
        )
    times = process.schedule.timesteps(n_steps, start)
    n_free = 0 if isinstance(gradient, str) else max(0, len(times) - gradient)
    run = Sampling(process, denoiser, sampler, eta, condition, value, guidance, clip, create_graph=True)
    x = process.from_noise(x) if start is None else x
    without_graph = replace(run, create_graph=False)
    trained: tuple[Tensor, ...] | None = None
    previous: Predicted | None = None
    for number, (time, next_time) in enumerate(zip(times, [*times[1:], -1], strict=True)):
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        if number < n_free:
            with torch.no_grad():
                x, previous = denoising_step(without_graph, x, noise, time, next_time, previous)
        elif gradient == "checkpoint":
            if trained is None:
                trained = _leaves(denoising_step(run, x.detach(), noise, time, next_time)[0])
            x_past, past = previous if previous is not None and sampler in MULTISTEP else (None, -1)
            step = cast(Any, _Recomputed).apply  # without types in torch
            x, x_start = step(run, (past, time, next_time), noise, x, x_past, *trained)
            previous = Predicted(x_start, time)
        else:
            x, previous = denoising_step(run, x, noise, time, next_time, previous)
    return run.known(x)


class _Recomputed(torch.autograd.Function):
    """Denoising step that stores only its inputs.

    `torch.utils.checkpoint` does not work here because guidance computes a gradient inside the step:
    torch 2.13 then stores the recomputed results and needs more memory than "full".  The trained tensors
    must be inputs to receive a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        run: Sampling,
        times: tuple[int, int, int],
        noise: Tensor,
        x: Tensor,
        x_past: Tensor | None,
        *trained: Tensor,
    ) -> tuple[Tensor, Tensor]:
        ctx.run, ctx.times = run, times
        kind = x.device.type  # the backward pass runs outside of the caller's autocast
        ctx.precision = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        ctx.save_for_backward(noise, x, x_past, *trained)
        past, time, next_time = times
        previous = None if x_past is None else Predicted(x_past, past)
        x, predicted = denoising_step(replace(run, create_graph=False), x, noise, time, next_time, previous)
        return x, predicted.x_start

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        noise, x, x_past, *trained = ctx.saved_tensors
        past, time, next_time = ctx.times
        kind, dtype, enabled = ctx.precision
        with torch.enable_grad(), torch.autocast(kind, dtype, enabled):
            x = x.detach().requires_grad_()
            x_past = None if x_past is None else x_past.detach().requires_grad_()
            previous = None if x_past is None else Predicted(x_past, past)
            after, predicted = denoising_step(ctx.run, x, noise, time, next_time, previous)
        inputs = [x, *trained] if x_past is None else [x, x_past, *trained]
        # The graph is retained: the trained tensors may come from a graph that later steps use.
        inner = torch.autograd.grad(
            (after, predicted.x_start), inputs, outer, retain_graph=True, allow_unused=True
        )
        rest = inner if x_past is not None else (inner[0], None, *inner[1:])
        return None, None, None, *rest


def _leaves(output: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors that a result was computed from and that require a gradient."""
    leaves: dict[int, Tensor] = {}
    visited, todo = set(), [output.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        leaf = getattr(node, "variable", None)  # an attribute of AccumulateGrad
        if leaf is not None:
            leaves[id(leaf)] = leaf
        todo.extend(parent for parent, _ in node.next_functions)
    return tuple(leaves.values())
