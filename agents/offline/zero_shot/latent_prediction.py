"""Features that predict features: one step ahead, or the future under a policy.

`OneStepFeatures`  latent states predicted one step ahead, with orthogonality
`TDJEPAFeatures`   latent states predicted over the future of each skill's policy (arXiv 2510.00739)
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.offline.zero_shot.base import FeatureUpdate, TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import (
    SuccessorTwins,
    build_encoder,
    orthogonality,
    to_sphere,
)
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings

__all__ = ["OneStepFeatures", "TDJEPAFeatures"]


class _SphereFeatures(TaskFeatures):
    """Features of an encoder, scaled to the length sqrt(dim)."""

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.encoder = build_encoder(self.task_dim, settings.hidden, settings.dim)

    def task(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch dim"]:
        return to_sphere(self.encoder(self.select(obs)))


class OneStepFeatures(_SphereFeatures):
    """Latent states that a network predicts one step ahead from the action, with orthogonality.

    The target is the moving average of the features of the next state.  The orthogonality keeps the features
    from becoming constant.

    Example:
        >>> features = OneStepFeatures(3, (0, 1), act_dim=1, settings=ZeroShotSettings(dim=4))
        >>> features.task(torch.ones(5, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.predictor = build_encoder(self.dim + act_dim, settings.hidden, self.dim)

    def loss(self, update: FeatureUpdate) -> Tensor:
        """Compute the squared error of the prediction plus the orthogonality."""
        batch = update.batch
        now = self.task(batch.obs)
        predicted = to_sphere(self.predictor(torch.cat([now, batch.act], -1)))
        with torch.no_grad():
            target = update.target.task(batch.obs_next)
        error = (predicted - target).square().sum(-1).mean()
        return error + self.settings.orthogonality * orthogonality(now)


class TDJEPAFeatures(_SphereFeatures):
    """Latent states predicted over the future of each skill's policy (TD-JEPA, arXiv 2510.00739).

    The successor features read the state encoder and predict the discounted sum of task features, and their
    loss trains the state encoder.  With `share_encoders` both encoders are one.  Without, a second pair of
    networks predicts the state features from the task features, and trains the task encoder.

    Example:
        >>> features = TDJEPAFeatures(3, (0, 1), act_dim=1, settings=ZeroShotSettings(dim=4))
        >>> features.shared, features.state(torch.ones(5, 3)).shape  # tasks do not read all entries
        (False, torch.Size([5, 4]))
    """

    def __init__(
        self, obs_dim: int, task_entries: tuple[int, ...], act_dim: int, settings: ZeroShotSettings
    ) -> None:
        super().__init__(obs_dim, task_entries, act_dim, settings)
        self.shared = settings.share_encoders and task_entries == tuple(range(obs_dim))
        if not self.shared:
            self.state_encoder = build_encoder(obs_dim, settings.hidden, settings.dim)
            self.mirror = SuccessorTwins(self.dim, self.dim, act_dim, self.dim, settings.hidden)

    @property
    def state_dim(self) -> int:
        """Number of entries of the encoded state."""
        return self.dim

    def state(self, obs: Float[Tensor, "*batch obs"]) -> Float[Tensor, "*batch state"]:
        """Return the encoded state."""
        return self.task(obs) if self.shared else to_sphere(self.state_encoder(obs))

    def loss(self, update: FeatureUpdate) -> Tensor:
        """Compute the orthogonality of both encoders, and the mirrored prediction of state features."""
        batch, target, skill = update.batch, update.target, update.skill
        task, weight = self.task(batch.obs), self.settings.orthogonality
        if self.shared:
            return weight * orthogonality(task)
        assert isinstance(target, TDJEPAFeatures)  # a copy of this module
        with torch.no_grad():
            upcoming = target.mirror.lower(target.task(batch.obs_next), skill, update.next_act)
            goal = target.state(batch.obs_next) + update.discount * upcoming
        error: Tensor = (self.mirror(task, skill, batch.act) - goal).square().mean((1, 2)).sum()
        return error + weight * (orthogonality(task) + orthogonality(self.state(batch.obs)))
