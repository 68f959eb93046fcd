"""Disagreement of predictions as a reward.

`DisagreementReward`    variance of several predictions of the next observation
`DisagreementSettings`  sizes of a `DisagreementReward`
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.exploration.base import ExplorationReward, ExplorationSettings

__all__ = ["DisagreementReward", "DisagreementSettings"]


@dataclass(frozen=True)
class DisagreementSettings(ExplorationSettings):
    """Sizes of a `DisagreementReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_members: int = field(default=5, kw_only=True)
    """Number of predictors, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(2, n_members=self.n_members)


class DisagreementReward(ExplorationReward):
    """Reward beta times the variance of several predictions of the next observation (arXiv 1906.04161).

    The predictors have different initial weights and learn from the same steps.  They agree on the mean of
    what they have seen, even where the next observation is random, and differ elsewhere.  The variance is
    the mean over the entries of the change of the normalized observation.

    Example:
        >>> reward = DisagreementReward(DisagreementSettings(obs_dim=2, act_dim=1, n_actions=2, n_members=3))
        >>> obs, act = torch.ones(4, 2), torch.zeros(4, 1)
        >>> reward.predictions(reward.features(obs, act, obs)).shape
        torch.Size([3, 4, 2])
        >>> reward.action_rewards(obs).shape
        torch.Size([4, 2])
    """

    settings: DisagreementSettings
    is_trained = True

    def __init__(self, settings: DisagreementSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)
        n_obs = self.obs_dim if settings.obs_index is None else len(settings.obs_index)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.members = nn.ModuleList(
                build_mlp(self.feature_dim, settings.hidden, n_obs) for _ in range(settings.n_members)
            )
        self.to(self.obs_normalizer.loc.device)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "DisagreementReward":
        return cls(DisagreementSettings(**lists_to_tuples(settings)))

    def predictions(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "members *batch obs"]:
        """Return each member's prediction of the change of the normalized observation."""
        return torch.stack([member(features) for member in self.members])

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the rewards of what `features` returned."""
        predictions = self.predictions(features)
        variance = (predictions - predictions.mean(0)).square().mean(0).mean(-1)
        return self.settings.beta * variance

    def observe(self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]) -> None:
        """Do nothing: the predictors learn by `loss`."""

    def forget(self) -> None:
        """Do nothing: the predictors keep their weights."""

    def loss(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, ""]:
        """Return the mean squared error of the predictions, summed over entries and members."""
        change = self._obs_features(obs_next) - self._obs_features(obs)
        predictions = self.predictions(self.features(obs, act, obs_next))
        return (predictions - change).square().sum(-1).mean(-1).sum()
