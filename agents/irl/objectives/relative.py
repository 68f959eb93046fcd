"""Relative reward: the difference between two diffusion models, as a gradient (arXiv 2306.01804).

`Relative`          objective: guidance by the reward turns the prior into a model of the demonstrations
`RelativeSettings`  settings of `Relative`

The method is that of Nuti et al. 2023.  A copy of the prior, fine-tuned on the demonstrations, is a model
of the demonstrations.  At one noisy window the two models predict the clean windows x_0^B(x_t) and
x_0^E(x_t).  Guidance moves the prior's guess
by w sigma_t^2 grad J(x_0^B), sigma_t^2 = 1 - abar_t (`diffusion.guidance`); so J is learned to

    minimize E |w sigma_t^2 grad J(x_0^B(x_t)) - (x_0^E(x_t) - x_0^B(x_t))|^2,

over times t and windows half from the demonstrations and half from the prior's data (section 3 of
the paper, in the form of x_0 instead of scores; there too the reward reads the prior's guess).  A
gradient field that belongs to no reward is thereby projected on the nearest one that does.  The method
is exact if the posterior of x_0 has covariance sigma_t^2, as for a standard normal prior.
"""

import logging
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Objective, ObjectiveInput, ObjectiveOutput
from rlpriors.agents.irl.objectives.negatives import negatives
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.diffusion import Condition, denoising_loss, value_gradient
from rlpriors.settings import check_fields
from rlpriors.types import Window

_log = logging.getLogger(__name__)

__all__ = ["Relative", "RelativeSettings"]


@dataclass(frozen=True)
class RelativeSettings:
    """Settings of `Relative`: the model of the demonstrations and the match.

    Raises:
        ValueError: a field is out of its bounds.
    """

    expert_updates: int = 400
    """Number of updates that fine-tune a copy of the prior on the demonstrations, at least 1.  All of them
    are made within the objective's first update, which takes longer."""

    expert_lr: float = 5e-4
    """Learning rate of the fine-tuning."""

    expert_ema_decay: float = 0.98
    """Decay of the fine-tuned copy's moving average, the model that is matched, in [0, 1)."""

    output_penalty: float = 1e-5
    """Weight of r^2 on the matched windows: gradients do not determine the reward's level."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.expert_updates < 1:
            raise ValueError(f"`expert_updates` must be at least 1. Received {self.expert_updates}.")
        if not self.expert_lr > 0:
            raise ValueError(f"`expert_lr` must be positive. Received {self.expert_lr}.")
        if not 0 <= self.expert_ema_decay < 1:
            raise ValueError(f"`expert_ema_decay` must be in [0, 1). Received {self.expert_ema_decay}.")
        if not self.output_penalty >= 0:
            raise ValueError(f"`output_penalty` must be at least 0. Received {self.output_penalty}.")


class Relative(Objective):
    """Objective: guidance by the reward turns the prior into a model of the demonstrations.

    w is the guidance weight of the policy's planner, or 1 if it does not guide.

    Example:
        >>> RelativeSettings(expert_updates=100)
        RelativeSettings(expert_updates=100, expert_lr=0.0005, expert_ema_decay=0.98, output_penalty=1e-05)
    """

    own_sources = ("prior_data",)
    settings: RelativeSettings

    def __init__(self, settings: RelativeSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        self.expert = deepcopy(policy.denoiser).requires_grad_(False)
        self._demonstrations: WindowBuffer | None = None

    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, prior_data: WindowBuffer | None
    ) -> None:
        """Store the demonstrations for the fine-tuning."""
        self._demonstrations = demonstrations

    def forward(self, update: ObjectiveInput) -> ObjectiveOutput:
        """Compute the squared distance between guidance and difference, averaged over time steps."""
        if update.step == 0:
            self._fine_tune(update, len(update.expert))
        policy, generator = update.policy, update.generator
        process, layout = policy.process, policy.layout
        others = negatives(update, self.own_sources)
        n_others = len(others) // 2
        order = torch.randperm(len(others), generator=generator, device=others.device)  # of several sources
        x = torch.cat([update.expert[: len(others) - n_others], others[order[:n_others]]])
        t = torch.randint(
            process.schedule.num_train_timesteps, (len(x),), generator=generator, device=x.device
        )
        start = Condition.fix_steps(x[:, :1, : layout.state_dim], horizon=layout.horizon, dim=layout.dim)
        with torch.no_grad():
            noise = torch.randn(x.shape, generator=generator, device=x.device)
            x_t = start.apply(process.q_sample(x, t, noise))
            prior_guess, expert_guess = (
                start.apply(process.denoise(denoiser, x_t, t, start))
                for denoiser in (policy.denoiser, self.expert)
            )
        strength = (policy.planner.guidance.weight or 1.0) * (1 - process.schedule.at(t))
        gradient = value_gradient(layout.value(update.online), prior_guess, create_graph=True)
        # Known entries are not guided.
        push = (strength * gradient).masked_fill(start.mask, 0.0)
        target = expert_guess - prior_guess
        error = (push - target).square().sum() / len(x) / layout.horizon
        size = layout.rewards(update.online, prior_guess).square().mean()
        difference = target.square().sum() / len(x) / layout.horizon
        stats = {"mismatch": error.item(), "difference": difference.item()}
        return ObjectiveOutput(error + self.settings.output_penalty * size, others, stats)

    def _fine_tune(self, update: ObjectiveInput, batch_size: int) -> None:
        """Train `expert` to be a model of the demonstrations.

        The fine-tuning runs within one update, so that a resume state needs neither its optimizer nor the
        weights without average.
        """
        assert self._demonstrations is not None
        settings, policy = self.settings, update.policy
        _log.info("Fine-tuning the prior on the demonstrations: %d updates.", settings.expert_updates)
        self.expert.load_state_dict(policy.denoiser.state_dict())
        online = deepcopy(self.expert).requires_grad_(True)
        optimizer = torch.optim.Adam(online.parameters(), lr=settings.expert_lr)
        average = get_ema_multi_avg_fn(settings.expert_ema_decay)
        averaged, learned = tuple(self.expert.parameters()), tuple(online.parameters())
        for step in range(settings.expert_updates):
            loss = self._denoising_loss(update, online, batch_size)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            with torch.no_grad():
                average(averaged, learned, torch.tensor(step))

    def _denoising_loss(self, update: ObjectiveInput, denoiser: nn.Module, n: int) -> Float[Tensor, ""]:
        policy, generator = update.policy, update.generator
        windows = self._demonstrations
        assert windows is not None
        rows = torch.randint(len(windows), (n,), generator=generator, device=policy.device)
        drawn = windows.store.windows(windows.starts[rows.cpu().numpy()], windows.horizon, windows.stride)
        window = Window(*(part.to(policy.device) for part in drawn))
        x = policy.layout.pack(window)
        n_times = policy.process.schedule.num_train_timesteps
        return denoising_loss(
            policy.process,
            denoiser,
            x,
            t=torch.randint(n_times, (n,), generator=generator, device=x.device),
            noise=torch.randn(x.shape, generator=generator, device=x.device),
            condition=policy.layout.start(window.obs[:, 0]),
        )
