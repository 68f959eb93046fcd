"""Features that are not trained: the observation, or a random network.

`IdentityFeatures`  normalized observation
`RandomFeatures`    untrained network
"""

from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.offline.zero_shot.base import TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import build_encoder, to_sphere
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

__all__ = ["IdentityFeatures", "RandomFeatures"]


class IdentityFeatures(TaskFeatures):
    """Normalized entries of the observation as features: rewards are linear in the observation.

    Example:
        >>> import torch
        >>> features = IdentityFeatures(3, (2, 0), act_dim=1, settings=ZeroShotSettings())
        >>> features.task(torch.tensor([5.0, 6.0, 7.0]))
        tensor([7., 5.])
    """

    @property
    def dim(self) -> int:
        """Number of entries that tasks depend on."""
        return self.task_dim

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        return self.select(obs)


class RandomFeatures(TaskFeatures):
    """Features of an untrained network, the baseline of all learned features.

    Example:
        >>> import torch
        >>> features = RandomFeatures(3, (0, 1, 2), act_dim=1, settings=ZeroShotSettings(dim=4))
        >>> features.task(torch.ones(5, 3)).norm(dim=1).round(decimals=3)
        tensor([2., 2., 2., 2., 2.])
    """

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.encoder = build_encoder(self.task_dim, settings.hidden, settings.dim).requires_grad_(False)

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        return to_sphere(self.encoder(self.select(obs)))
