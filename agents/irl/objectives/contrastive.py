"""Contrast of mean rewards between demonstrations and negatives.

`Contrastive`          objective that raises the reward of demonstrations above that of negatives
`ContrastiveSettings`  settings of `Contrastive`

Let p_B(tau | s_0) be the prior over windows and J(tau) the sum of the reward over a window.  The
model is p(tau | s_0) proportional to p_B(tau | s_0) exp(J(tau)).  Raising the likelihood of the
demonstrations gives the maximum-entropy gradient (Ziebart et al. 2008; Finn et al. 2016, arXiv
1603.00448, eq. 3)

    E_{demonstrations}[grad J] - E_{p}[grad J],

a contrast between the demonstrations and samples of the model from the same start states.  With the negatives
"guided", the samples come from the prior, guided by the current reward in a few denoising steps: an
approximation of p.  No gradient passes through the sampler.

With fixed negatives, such as the prior's data, the same contrast is the gradient of a critic between two data
sets (Arjovsky et al. 2017, arXiv 1701.07875, eq. 2, with a gradient penalty in place of the Lipschitz bound):
the reward grows along the difference until the penalty stops it.  It needs no sampling.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.base import Objective, ObjectiveInput, ObjectiveOutput
from rlpriors.agents.irl.objectives.negatives import guided_samples, negatives
from rlpriors.rewards.losses import contrastive_loss
from rlpriors.settings import check_fields

__all__ = ["Contrastive", "ContrastiveSettings"]


@dataclass(frozen=True)
class ContrastiveSettings:
    """Settings of `Contrastive`: the replay of past samples.

    Raises:
        ValueError: a field is out of its bounds.
    """

    replay_size: int = 512
    """Number of past guided samples in the replay, at least 1."""

    replay_fraction: float = 0.25
    """Fraction of each batch's guided samples that is replaced by past ones, in [0, 1]."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.replay_size < 1:
            raise ValueError(f"`replay_size` must be at least 1. Received {self.replay_size}.")
        if not 0 <= self.replay_fraction <= 1:
            raise ValueError(f"`replay_fraction` must be in [0, 1]. Received {self.replay_fraction}.")


class Contrastive(Objective):
    """Objective that minimizes the mean reward of negatives minus that of demonstrations.

    Without a reference the negatives are windows of the prior's data if it is given, because they cost no
    sampling and gave rewards as good as guided samples in mazes; otherwise they are guided samples.

    Example:
        >>> ContrastiveSettings(replay_fraction=0.5)
        ContrastiveSettings(replay_size=512, replay_fraction=0.5)
    """

    own_sources = ("prior_data", "guided")
    evaluates_reward = True
    settings: ContrastiveSettings
    replay: Tensor
    replayed: Tensor

    def __init__(self, settings: ContrastiveSettings, policy: DiffuserPolicy) -> None:
        super().__init__(settings, policy)
        shape = (settings.replay_size, policy.layout.horizon, policy.layout.dim)
        self.register_buffer("replay", torch.zeros(shape, device=policy.device))
        self.register_buffer("replayed", torch.zeros((), dtype=torch.int64))

    def forward(self, update: ObjectiveInput) -> ObjectiveOutput:
        """Compute the contrast with the negatives, by default guided samples and past ones."""
        layout = update.policy.layout
        samples = negatives(
            update,
            self.own_sources,
            lambda start: self._with_replay(guided_samples(update, start), update.generator),
        )
        demonstrated, sampled = (
            layout.rewards(update.online, windows) for windows in update.perturb(update.expert, samples)
        )
        return ObjectiveOutput(contrastive_loss(demonstrated, sampled), samples, {})

    def _with_replay(
        self, samples: Float[Tensor, "batch horizon dim"], generator: torch.Generator
    ) -> Float[Tensor, "batch horizon dim"]:
        """Add the new samples to the replay and replace a fraction of them by past ones."""
        n, size, n_seen = len(samples), len(self.replay), int(self.replayed)
        mixed = samples.clone()
        n_old = round(self.settings.replay_fraction * n)
        if n_seen and n_old:
            rows = torch.randint(min(n_seen, size), (n_old,), generator=generator, device=samples.device)
            mixed[:n_old] = self.replay[rows]
        slots = torch.arange(n_seen, n_seen + min(n, size), device=samples.device) % size
        self.replay[slots] = samples[: len(slots)]
        self.replayed += len(slots)
        return mixed
