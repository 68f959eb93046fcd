"""Elliptical exploration bonus.

`EllipticalBonus`     bonus beta sqrt(phi^T Lambda^-1 phi) of features phi of observation and action
`EllipticalSettings`  features and weights of an `EllipticalBonus`
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_at_least
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.exploration.base import ExplorationReward, ExplorationSettings
from rlpriors.rewards.exploration.features import (
    ContrastiveFeatures,
    FeatureKind,
    ProductFeatures,
    RandomFeatures,
    contrastive_loss,
)
from rlpriors.rewards.exploration.inverse_covariance import InverseCovariance
from rlpriors.rewards.validation import check_positive
from rlpriors.sharing.provenance import Provenance

__all__ = ["EllipticalBonus", "EllipticalSettings"]

Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class EllipticalSettings(ExplorationSettings):
    """Features and weights of an `EllipticalBonus`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    kind: FeatureKind = field(default="product", kw_only=True)
    """Features of observation and action: "product" multiplies each observation entry with each action
    entry, which counts visits where both are one-hot; "random" has random Fourier features; "contrastive"
    learns them from the transitions; "given" uses the function that the constructor receives."""

    n_features: int = field(default=64, kw_only=True)
    """Number of random, contrastive or given features, at least 1; "product" has its own number."""

    lambda0: float = field(default=1.0, kw_only=True)
    """Regularization of the covariance, above 0: the first bonus of a feature of length 1 is
    beta / sqrt(lambda0)."""

    bandwidth: float = field(default=1.0, kw_only=True)
    """Distance in normalized units over which random features generalize, above 0."""

    temperature: float = field(default=0.1, kw_only=True)
    """Temperature of the contrastive loss, above 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in get_args(FeatureKind):
            raise ValueError(f"`kind` must be one of {list(get_args(FeatureKind))}. Received {self.kind!r}.")
        check_at_least(1, n_features=self.n_features)
        check_positive(lambda0=self.lambda0, bandwidth=self.bandwidth, temperature=self.temperature)


class EllipticalBonus(ExplorationReward):
    """Bonus beta sqrt(phi^T Lambda^-1 phi) with Lambda = lambda0 I + sum of phi phi^T over all steps so far.

    It is the width of the confidence interval of a linear model of the features (LinUCB, arXiv 1003.0146),
    and the bonus of Contrastive UCB (arXiv 2207.14800, algorithm 1) with its trained features.  For
    one-hot features it is beta / sqrt(lambda0 + n) after n visits.

    `observe` adds each environment step once.  Steps that are sampled again from a replay buffer are not
    counted again.  Trained features move, and Lambda is then a sum of outdated features: `forget` and
    `observe` all steps of the buffer again from time to time.

    Args:
        settings: features and weights.
        normalizer: normalizer of the observation, or of observation and action; raw units by default.
        features: function from normalized rows [batch, obs and act] to features [batch, n_features], for the
            kind "given" only.  A bonus with it cannot be saved.

    Example:
        >>> bonus = EllipticalBonus(EllipticalSettings(obs_dim=2, act_dim=1, n_actions=2))
        >>> state, right = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0]])
        >>> bonus.observe(state.repeat(3, 1), right.repeat(3, 1))
        >>> bonus.action_rewards(state)  # action 1 was chosen three times
        tensor([[1.0000, 0.5000]])

    Raises:
        ValueError: `features` is missing or not used, or it returns another number of features.
    """

    settings: EllipticalSettings

    def __init__(
        self,
        settings: EllipticalSettings,
        normalizer: Normalizer | None = None,
        features: Features | None = None,
    ) -> None:
        super().__init__(settings, normalizer)
        if (features is None) == (settings.kind == "given"):
            raise ValueError(
                f'`features` must be a function for the kind "given", and None for others. Received '
                f"{features!r} for {settings.kind!r}."
            )
        n_obs = self.obs_dim if settings.obs_index is None else len(settings.obs_index)
        seed, n_features = settings.seed, settings.n_features
        self.phi: Features
        if features is not None:
            self.phi = features
        elif settings.kind == "product":
            self.phi, n_features = ProductFeatures(n_obs), n_obs * (self.feature_dim - n_obs)
        elif settings.kind == "random":
            self.phi = RandomFeatures(self.feature_dim, n_features, settings.bandwidth, seed)
        else:
            self.phi = ContrastiveFeatures(self.feature_dim, n_obs, n_features, settings.hidden, seed)
        self.covariance = InverseCovariance(n_features, settings.lambda0)
        self.is_trained = settings.kind == "contrastive"
        self.to(self.obs_normalizer.loc.device)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "EllipticalBonus":
        return cls(EllipticalSettings(**lists_to_tuples(settings)))

    def save(self, folder: str | Path, *, provenance: Provenance | None = None) -> Path:
        """Save the bonus with the steps counted so far, as a frozen reward.

        Raises:
            ValueError: its features are a given function, which no file can hold.
        """
        if self.settings.kind == "given":
            raise ValueError(
                '`kind` must be "product", "random" or "contrastive" for a bonus in a file. Received '
                '"given", a function, which cannot be saved.'
            )
        return super().save(folder, provenance=provenance)

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the bonus of what `features` returned."""
        squared = self.covariance.quadratic(self._phi(features))
        # The root has no derivative at 0.
        return self.settings.beta * squared.clamp(min=1e-24).sqrt().to(features.dtype)

    def observe(self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]) -> None:
        """Add environment steps to Lambda, each of which must be passed once."""
        with torch.no_grad():
            self.covariance.add(self._phi(self.features(obs, act, obs)))

    def forget(self) -> None:
        """Reset Lambda to lambda0 I."""
        self.covariance.reset()

    def loss(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, ""]:
        """Return the contrastive loss, with the other next observations of the batch as negatives.

        Raises:
            ValueError: the features are not trained.
        """
        if not isinstance(self.phi, ContrastiveFeatures):
            return super().loss(obs, act, obs_next)
        psi = self.phi.next_features(self._obs_features(obs_next))
        return contrastive_loss(self._phi(self.features(obs, act, obs)), psi, self.settings.temperature)

    def _phi(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch features"]:
        phi = self.phi(x)
        n_features = len(self.covariance.inverse)
        if phi.shape != (*x.shape[:-1], n_features):
            raise ValueError(
                f"`features` must return {n_features} features for each of the {len(x)} rows (`n_features`). "
                f"Received shape {list(phi.shape)}."
            )
        return phi
