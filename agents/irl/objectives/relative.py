"""What separates two diffusion models, as a gradient: the relative reward (Nuti et al. 2023, 2306.01804).

The prior, fine-tuned on the demonstrations, is a model of the demonstrations.  At the same noisy
window both guess what lies behind it, x_0^B(x_t) and x_0^E(x_t).  Guidance moves the prior's guess
by w sigma_t^2 grad J(x_0^B), sigma_t^2 = 1 - abar_t (`diffusion.guidance`); so J is learned to

    minimize E |w sigma_t^2 grad J(x_0^B(x_t)) - (x_0^E(x_t) - x_0^B(x_t))|^2,

over times t and windows half from the demonstrations and half from the prior's data (section 3 of
the paper, in the form of x_0 rather than of scores; its reward too is read at the prior's guess).
A gradient field that is no one reward's is so projected on the nearest that is.  It is exact where
the posterior of x_0 has covariance sigma_t^2, as that of a standard normal prior has.
"""

import logging
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Contrast, Objective, Update
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.diffusion import Condition, denoising_loss, value_gradient
from rlpriors.types import Window

_log = logging.getLogger(__name__)

__all__ = ["Relative", "RelativeSettings"]


@dataclass(frozen=True)
class RelativeSettings:
    """How the model of the demonstrations is made, and matched."""

    expert_updates: int = 400
    """Updates that fine-tune a copy of the prior on the demonstrations; all of them belong to the
    objective's first update, which takes as much longer."""

    expert_lr: float = 5e-4
    """Learning rate of these."""

    expert_ema_decay: float = 0.98
    """Of the copy's moving average, which is what is matched."""

    output_penalty: float = 1e-5
    """Weight of r^2 where gradients are matched: they leave the reward's level open."""

    def __post_init__(self) -> None:
        if self.expert_updates < 1:
            raise ValueError(f"`expert_updates` must be at least 1. Received {self.expert_updates}.")
        if not self.expert_lr > 0:
            raise ValueError(f"`expert_lr` must be positive. Received {self.expert_lr}.")
        if not 0 <= self.expert_ema_decay < 1:
            raise ValueError(f"`expert_ema_decay` must be in [0, 1). Received {self.expert_ema_decay}.")
        if not self.output_penalty >= 0:
            raise ValueError(f"`output_penalty` must be at least 0. Received {self.output_penalty}.")


class Relative(Objective):
    """The reward whose guidance turns the prior into a model of the demonstrations.

    w is the weight by which the policy's planner guides, 1 where it does not guide.

    Example:
        >>> RelativeSettings(expert_updates=100)
        RelativeSettings(expert_updates=100, expert_lr=0.0005, expert_ema_decay=0.98, output_penalty=1e-05)
    """

    needs_base = True
    settings: RelativeSettings

    def __init__(self, settings: RelativeSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        self.expert = deepcopy(policy.denoiser).requires_grad_(False)
        self._demonstrations: WindowBuffer | None = None

    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, base: WindowBuffer | None
    ) -> None:
        """Know where to find demonstrations to fine-tune on."""
        self._demonstrations = demonstrations

    def forward(self, update: Update) -> Contrast:
        """The mean over frames of the squared distance between guidance and difference."""
        assert update.base is not None
        if update.step == 0:
            self._fine_tune(update, len(update.expert))
        policy, generator = update.policy, update.generator
        process, frames = policy.process, policy.frames
        base = update.base(len(update.expert))
        x = torch.cat([update.expert[: len(base) - len(base) // 2], base[: len(base) // 2]])
        t = torch.randint(
            process.schedule.num_train_timesteps, (len(x),), generator=generator, device=x.device
        )
        start = Condition.frames(x[:, :1, : frames.obs_dim], horizon=frames.horizon, dim=frames.dim)
        with torch.no_grad():
            noise = torch.randn(x.shape, generator=generator, device=x.device)
            x_t = start.apply(process.q_sample(x, t, noise))
            guess, other = (
                start.apply(process.denoise(denoiser, x_t, t, start))
                for denoiser in (policy.denoiser, self.expert)
            )
        strength = (policy.planner.guidance.weight or 1.0) * (1 - process.schedule.at(t))
        gradient = value_gradient(frames.value(update.online), guess, create_graph=True)
        # What is known is not guided.
        push = (strength * gradient).masked_fill(start.mask, 0.0)
        error = (push - (other - guess)).square().sum() / len(x) / frames.horizon
        size = frames.rewards(update.online, guess).square().mean()
        difference = (other - guess).square().sum() / len(x) / frames.horizon
        stats = {"mismatch": error.item(), "difference": difference.item()}
        return Contrast(error + self.settings.output_penalty * size, base, stats)

    def _fine_tune(self, update: Update, batch_size: int) -> None:
        """Make `expert` a model of the demonstrations.

        Within one update, so that neither the optimizer nor the weights without average need to be
        saved, and a stopped run goes on as if it had not been.
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

    def _denoising_loss(self, update: Update, denoiser: nn.Module, n: int) -> Float[Tensor, ""]:
        policy, generator = update.policy, update.generator
        windows = self._demonstrations
        assert windows is not None
        rows = torch.randint(len(windows), (n,), generator=generator, device=policy.device)
        drawn = windows.store.windows(windows.starts[rows.cpu().numpy()], windows.horizon, windows.stride)
        window = Window(*(part.to(policy.device) for part in drawn))
        x = policy.frames.pack(window)
        n_times = policy.process.schedule.num_train_timesteps
        return denoising_loss(
            policy.process,
            denoiser,
            x,
            t=torch.randint(n_times, (n,), generator=generator, device=x.device),
            noise=torch.randn(x.shape, generator=generator, device=x.device),
            condition=policy.frames.start(window.obs[:, 0]),
        )
