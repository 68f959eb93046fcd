"""Forward-backward features: factors of the future occupancy.

`BackwardFeatures`  backward features of the forward-backward method (arXiv 2103.07945, 2209.14935)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.offline.zero_shot.base import FeatureUpdate, TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import build_encoder, orthogonality, to_sphere
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

__all__ = ["BackwardFeatures"]


class BackwardFeatures(TaskFeatures):
    """Backward features B, learned together with the forward features F(s, z, a).

    `F(s, z, a) . B(s')` is the density of the discounted future states of the skill's policy, relative to the
    data (arXiv 2103.07945, theorem 2).  The value of a skill is F . z, and the skill of a reward is the mean
    of `B * reward`.

    Example:
        >>> features = BackwardFeatures(3, (0, 1, 2), act_dim=1, settings=ZeroShotSettings(dim=4))
        >>> features.reward_weights(torch.eye(4), torch.tensor([4.0, 0.0, 0.0, -4.0]))
        tensor([ 1.,  0.,  0., -1.])
    """

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.encoder = build_encoder(self.task_dim, settings.hidden, settings.dim)

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        return to_sphere(self.encoder(self.select(obs)))

    def successor_loss(
        self,
        predicted: Float[Tensor, "2 batch dim"],
        upcoming: Float[Tensor, "batch dim"],
        update: FeatureUpdate,
    ) -> Tensor:
        """Compute the Bellman loss of the density, which trains F and B (arXiv 2103.07945, eq. 12).

        The rows of the batch are the other states of each row: their density follows that after the step,
        and the row's own next state adds to it.
        """
        batch = update.batch
        backward = self.task(batch.obs_next)
        with torch.no_grad():
            later = update.discount * (upcoming @ update.target.task(batch.obs_next).T)
        density = predicted @ backward.T  # [2, row, state]
        n = len(backward)
        error = (density - later).square()
        own = error.diagonal(dim1=1, dim2=2).sum(1)
        apart = (error.sum((1, 2)) - own) / max(1, n * (n - 1))
        reached = density.diagonal(dim1=1, dim2=2).mean(1)
        loss: Tensor = (0.5 * apart - reached).sum()
        return loss + self.settings.orthogonality * orthogonality(backward)

    def weights_of(self, moment: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:
        """Return the skill of a reward, the mean of `B * reward`."""
        return moment

    def reward_weights(
        self, features: Float[Tensor, "batch dim"], rew: Float[Tensor, " batch"]
    ) -> Float[Tensor, " dim"]:
        """Return the mean of `B * reward`."""
        return rew @ features / len(rew)

    def directions(
        self, goal: Float[Tensor, "batch obs"], obs: Float[Tensor, "batch obs"] | None
    ) -> Float[Tensor, "batch dim"]:
        """Return the backward features of the goals."""
        return to_sphere(self.task(goal))
