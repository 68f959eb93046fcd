"""Demonstrations against samples of the model that the reward defines.

Let p_B(tau | s_0) be the prior over windows and J(tau) the sum of the reward over a window.  The
model is p(tau | s_0) proportional to p_B(tau | s_0) exp(J(tau)).  Raising the likelihood of the
demonstrations gives the maximum-entropy gradient (Ziebart et al. 2008; Finn et al. 2016, arXiv
1603.00448, eq. 3)

    E_{demonstrations}[grad J] - E_{p}[grad J],

a contrast between the demonstrations and samples of the model from the same start states.  Those
samples come from guiding the prior by the reward learned so far, in a few denoising steps: an
approximation of p.  No gradient passes through the sampler.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Contrast, Objective, Update
from rlpriors.diffusion import Planner
from rlpriors.rewards.losses import contrastive_loss

__all__ = ["Contrastive", "ContrastiveSettings", "guided_samples"]


@dataclass(frozen=True)
class ContrastiveSettings:
    """Which samples the demonstrations are held against."""

    replay_size: int = 512
    """Past samples that are kept."""

    replay_fraction: float = 0.25
    """Part of each batch's samples that is drawn from the past ones instead."""

    def __post_init__(self) -> None:
        if self.replay_size < 1:
            raise ValueError(f"`replay_size` must be at least 1. Received {self.replay_size}.")
        if not 0 <= self.replay_fraction <= 1:
            raise ValueError(f"`replay_fraction` must be in [0, 1]. Received {self.replay_fraction}.")


class Contrastive(Objective):
    """The reward of guided samples minus that of demonstrations.

    Example:
        >>> ContrastiveSettings(replay_fraction=0.5)
        ContrastiveSettings(replay_size=512, replay_fraction=0.5)
    """

    judges = True
    settings: ContrastiveSettings
    replay: Tensor
    replayed: Tensor

    def __init__(self, settings: ContrastiveSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        shape = (settings.replay_size, policy.frames.horizon, policy.frames.dim)
        self.register_buffer("replay", torch.zeros(shape, device=policy.device))
        self.register_buffer("replayed", torch.zeros((), dtype=torch.int64))

    def forward(self, update: Update) -> Contrast:
        """Samples from the demonstrations' own start states; some of the past ones among them."""
        frames = update.policy.frames
        samples = self._with_replay(guided_samples(update), update.generator)
        demonstrated, sampled = (
            frames.rewards(update.online, windows) for windows in update.read(update.expert, samples)
        )
        return Contrast(contrastive_loss(demonstrated, sampled), samples, {})

    def _with_replay(
        self, samples: Float[Tensor, "batch horizon dim"], generator: torch.Generator
    ) -> Float[Tensor, "batch horizon dim"]:
        """Keep the new samples, and put past ones in the place of some of them."""
        n, size, kept = len(samples), len(self.replay), int(self.replayed)
        mixed = samples.clone()
        n_old = round(self.settings.replay_fraction * n)
        if kept and n_old:
            rows = torch.randint(min(kept, size), (n_old,), generator=generator, device=samples.device)
            mixed[:n_old] = self.replay[rows]
        slots = torch.arange(kept, kept + min(n, size), device=samples.device) % size
        self.replay[slots] = samples[: len(slots)]
        self.replayed += len(slots)
        return mixed


def guided_samples(update: Update) -> Float[Tensor, "batch horizon dim"]:
    """One window, guided by the averaged reward, from the start state of each demonstrated one.

    Ranking candidates here would make the samples as good as the demonstrations too soon, and the
    contrast that teaches the reward would end.
    """
    policy = update.policy
    settings = replace(policy.planner, n_candidates=1, warm_start=0.0, likelihood_weight=0.0)
    planner = Planner(policy.process, policy.denoiser, settings)
    start = policy.frames.start(update.window.obs[:, 0])
    value = policy.frames.value(update.averaged)
    return planner.plan(start, value, generator=update.generator).window
