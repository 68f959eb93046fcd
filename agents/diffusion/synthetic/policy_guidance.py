"""Sampling of trajectories whose actions a target policy is likely to take.

`PolicyGuidance`     settings: strength, schedule and number of steps
`guidance_schedule`  strength at each denoising step
`guided_windows`     windows of a prior, guided by the action score of a target policy
`LogProbability`     type of a target policy
`gaussian_target`    target of a deterministic policy

Policy-guided diffusion (Jackson et al. 2024, arXiv 2404.06356) adds the score of the target
policy, grad_a log pi(a | s), to the actions while a window is denoised.  The denoiser then completes the
states to these actions, so that the dynamics remain those of the data.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion.guidance import value_gradient
from rlpriors.diffusion.solvers import Step, ddim_step
from rlpriors.settings import check_fields

__all__ = ["LogProbability", "PolicyGuidance", "gaussian_target", "guidance_schedule", "guided_windows"]

LogProbability: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Function from raw observations [n, obs] and raw actions [n, act] to log pi(a | s) [n], which has a gradient
in the actions."""


@dataclass(frozen=True)
class PolicyGuidance:
    """Settings of the guidance by a target policy.

    Raises:
        ValueError: a field is out of its bounds.
    """

    strength: float = 1.0
    """Factor of the unit step at each denoising step, at least 0; 0 samples the prior."""
    n_steps: int = 32
    """Number of denoising steps, at least 2 and at most the noise levels of the prior."""
    bump: float = 0.3
    """Height of the sine that is added to the falling line of the schedule, at least 0."""
    eta: float = 1.0
    """Fraction of DDPM's noise that each step adds, 0 to 1.  Noise lets states follow the guided actions."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.strength < 0:
            raise ValueError(f"`strength` must be at least 0. Received {self.strength}.")
        if self.n_steps < 2:
            raise ValueError(f"`n_steps` must be at least 2. Received {self.n_steps}.")
        if self.bump < 0:
            raise ValueError(f"`bump` must be at least 0. Received {self.bump}.")
        if not 0 <= self.eta <= 1:
            raise ValueError(f"`eta` must be in [0, 1]. Received {self.eta}.")


def guidance_schedule(settings: PolicyGuidance) -> list[float]:
    """Return the strength at each denoising step i of n: c ((1 - i / n) + bump sin(pi (i + 1) / n)).

    It is 0 at the last step, after which the denoiser corrects nothing.

    Example:
        >>> [round(x, 2) for x in guidance_schedule(PolicyGuidance(strength=2.0, n_steps=4, bump=0.5))]
        [2.71, 2.5, 1.71, 0.0]
    """
    n = settings.n_steps
    line = [1 - i / n + settings.bump * math.sin(math.pi * (i + 1) / n) for i in range(n)]
    return [settings.strength * weight for weight in line[:-1]] + [0.0]


def gaussian_target(
    action: Callable[[Float[Tensor, "n obs"]], Float[Tensor, "n act"]], std: float = 1.0
) -> LogProbability:
    """Return log N(a; action(s), std^2), without its constant, for a deterministic policy.

    Example:
        >>> target = gaussian_target(lambda obs: -obs, std=2.0)
        >>> target(torch.ones(1, 1), torch.ones(1, 1)).tolist()
        [-0.5]

    Raises:
        ValueError: `std` is not positive.
    """
    if not std > 0:
        raise ValueError(f"`std` must be positive. Received {std}.")
    return lambda obs, act: -(act - action(obs)).square().sum(-1) / (2 * std**2)


@torch.no_grad()
def guided_windows(
    prior: DiffuserPolicy,
    target: LogProbability,
    start: Float[Tensor, "batch obs"],
    settings: PolicyGuidance,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch horizon dim"]:
    """Sample normalized windows that begin in raw observations and follow the target policy's action score.

    The score is taken at the predicted clean window and scaled to a length of 1 over the actions of a window.
    Only actions are moved.

    Args:
        prior: planner whose denoiser is the prior; its reward is not read.
        target: log-probability of the target policy.
        start: first observation of each window.
        settings: settings of the guidance.
        generator: generator of the noise, on the prior's device.

    Raises:
        ValueError: actions are Discrete, `settings.n_steps` exceeds the prior's noise levels, or the target's
            log-probability is not finite or has no gradient.
    """
    layout, process = prior.layout, prior.process
    if not isinstance(layout.act, Normalizer):
        raise ValueError(
            f"`prior` must have continuous actions, which have a score. Received one for "
            f"{prior.action_space}."
        )
    condition = layout.start(start)
    x = torch.randn(condition.value.shape, generator=generator, device=start.device)
    x = process.from_noise(x)
    times = process.schedule.timesteps(settings.n_steps)
    weights = guidance_schedule(settings)
    for weight, time, later in zip(weights, times, [*times[1:], -1], strict=True):
        t, s = (torch.full((len(x),), k, device=x.device) for k in (time, later))
        x = condition.apply(x)
        clean = condition.apply(process.denoise(prior.denoiser, x, t, condition).clamp(-1, 1))
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        abar_t, abar_s = process.schedule.at(t), process.schedule.at(s)
        step = Step(x / process.schedule.scale_at(t), clean, abar_t, abar_s, noise, settings.eta)
        x = ddim_step(step)
        if weight > 0:
            x = x + weight * abar_s.sqrt() * _unit_score(layout, target, clean)
        x = process.schedule.scale_at(s) * x
    return condition.apply(x)


def _unit_score(layout: Any, target: LogProbability, clean: Tensor) -> Tensor:
    """Return the score in normalized actions, of length 1 over a window, and 0 for observations."""
    known = clean[..., : layout.state_dim]

    def total(act: Tensor) -> Tensor:
        obs, raw = layout.unpack(torch.cat([known, act], -1))
        flat = (rearrange(part, "b h d -> (b h) d") for part in (obs, raw))
        return rearrange(target(*flat), "(b h) -> b h", b=len(act)).sum(1)

    score = value_gradient(total, clean[..., layout.state_dim :])
    if not score.isfinite().all():
        raise ValueError("`target` must have a finite gradient. Received NaN or infinity; check the policy.")
    length = score.square().sum((1, 2), keepdim=True).sqrt()
    return torch.cat([torch.zeros_like(known), score / length.clamp(min=1e-8)], -1)
