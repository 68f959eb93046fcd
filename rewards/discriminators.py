"""Reward models of adversarial imitation: discriminators between demonstrations and agent transitions.

`Discriminator`  base class: a reward model with a logit of "this step was demonstrated"
`GAILReward`     a multi-layer perceptron over (s, a)
`GAILSettings`   settings of `GAILReward`
`AIRLReward`     r(s) + gamma phi(s') - phi(s) against the policy's own log-probability
`AIRLSettings`   settings of `AIRLReward`

`agents.imitation.adversarial` trains them.  They are saved, loaded and used as any reward model.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_widths
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import RewardModel, lists_to_tuples
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings

__all__ = ["AIRLReward", "AIRLSettings", "Discriminator", "GAILReward", "GAILSettings", "RewardForm"]

RewardForm = Literal["-log(1-D)", "log(D)", "logit"]


class Discriminator(RewardModel):
    """Base class of discriminators: D = sigmoid(logit) is the probability that a step was demonstrated.

    The logit is `logits` of `points`, so that a loss can take gradient penalties in normalized
    units, in which all entries have the same scale.
    """

    subtracts_log_prob: ClassVar[bool] = False
    """Flag of D = sigmoid(logit - log pi(a|s)), which needs the policy's log-probability."""

    @abstractmethod
    def points(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch points"]:
        """Return the normalized inputs of `logits`."""

    @abstractmethod
    def logits(
        self,
        points: Float[Tensor, "batch points"],
        terminated: Bool[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """Return the logit of each step; `generator` is the source of noise, if any is drawn."""

    def training_reward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the policy's reward during adversarial training; by default that of `forward`."""
        rewards: Tensor = self(obs, act, obs_next, terminated)
        return rewards


@dataclass(frozen=True)
class GAILSettings(RewardSettings):
    """Inputs, size and reward function of a `GAILReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """Inputs of the network; ("obs", "obs_next") imitates from observations without actions."""

    form: RewardForm = "-log(1-D)"
    """Reward as a function of D.  "-log(1-D)" is the original: always positive, it favors long episodes.
    "log(D)" is always negative and favors short episodes.  "logit", their sum, favors neither
    (arXiv 1809.02925, section 4.1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in get_args(RewardForm):
            raise ValueError(f"`form` must be one of {get_args(RewardForm)}. Received {self.form!r}.")


class GAILReward(MLPReward, Discriminator):
    """Discriminator of generative adversarial imitation learning (GAIL, arXiv 1606.03476, algorithm 1).

    D is the probability that a step was demonstrated; the paper's D is the probability of the opposite.
    For a perfect imitator D is 1/2 everywhere.  The remaining reward is constant, so that it cannot train
    another agent; GAIL does not claim that it can.

    Example:
        >>> model = GAILReward(GAILSettings(obs_dim=1, act_dim=1, hidden=()))
        >>> model.net[0].weight.data, model.net[0].bias.data = torch.zeros(1, 2), torch.zeros(1)
        >>> rows = torch.zeros(1, 1)
        >>> round(model(rows, rows, rows, torch.zeros(1, dtype=torch.bool)).item(), 4)  # -log(1/2)
        0.6931
    """

    settings: GAILSettings

    def __init__(self, settings: GAILSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "GAILReward":
        return cls(GAILSettings(**lists_to_tuples(settings)))

    def points(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch points"]:
        return self.features(obs, act, obs_next)

    def logits(
        self,
        points: Float[Tensor, "batch points"],
        terminated: Bool[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        logit: Tensor = self.net(points)
        return logit.squeeze(-1)

    def from_features(self, features: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch"]:
        """Return the rewards of what `features` returned, in the form of `settings.form`."""
        logit: Tensor = self.net(features).squeeze(-1)
        if self.settings.form == "logit":
            return logit
        if self.settings.form == "log(D)":
            return nn.functional.logsigmoid(logit)
        return nn.functional.softplus(logit)


@dataclass(frozen=True)
class AIRLSettings(RewardSettings):
    """Inputs and size of an `AIRLReward`; by default a reward of states only.

    `spectral_norm` bounds the slope of the reward, not that of the potential.

    Raises:
        ValueError: a field is out of its bounds.
    """

    gamma: float = 0.99
    """Discount factor of the task, from 0 to 1; the policy must be trained with the same discount."""

    potential_hidden: tuple[int, ...] = (64, 64)
    """Widths of the potential's hidden layers; () makes the potential linear."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"`gamma` must be in the interval [0, 1]. Received {self.gamma}.")
        check_widths(potential_hidden=self.potential_hidden)


class AIRLReward(MLPReward, Discriminator):
    """Discriminator of adversarial inverse RL (AIRL, arXiv 1710.11248, eq. 4 and section 6).

    D = sigmoid(f - log pi(a|s)) with f = r + gamma (1 - terminated) phi(s') - phi(s).  `forward` returns
    r.  A state-only r transfers to other dynamics if these are deterministic (theorem 5.1).  During
    training, an on-policy algorithm receives f - log pi(a|s) (algorithm 1).  An off-policy algorithm
    receives f; its entropy bonus replaces - log pi, exactly for a maximum-entropy policy of temperature 1.

    The potential reads whole observations through the same normalizer.

    Example:
        >>> model = AIRLReward(AIRLSettings(obs_dim=2, act_dim=1))
        >>> obs, act, end = torch.zeros(4, 2), torch.zeros(4, 1), torch.ones(4, dtype=torch.bool)
        >>> shaping = model.training_reward(obs, act, obs, end) - model(obs, act, obs, end)
        >>> torch.allclose(shaping, -model.potential(obs))
        True
    """

    settings: AIRLSettings
    subtracts_log_prob: ClassVar[bool] = True

    def __init__(self, settings: AIRLSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)
        self.potential_net = build_mlp(self.obs_dim, settings.potential_hidden, 1)
        self.potential_net.to(self.obs_normalizer.loc.device)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "AIRLReward":
        return cls(AIRLSettings(**lists_to_tuples(settings)))

    def potential(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, " batch"]:
        """Return the potential phi(s) of each observation."""
        return self._potential(self.obs_normalizer(obs))

    def points(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch points"]:
        normalized = self.obs_normalizer(obs), self.obs_normalizer(obs_next)
        return torch.cat([self.features(obs, act, obs_next), *normalized], -1)

    def logits(
        self,
        points: Float[Tensor, "batch points"],
        terminated: Bool[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """Return f of each step; the caller subtracts the policy's log-probability."""
        features, obs, obs_next = points.split([self.feature_dim, self.obs_dim, self.obs_dim], -1)
        next_potential = self._potential(obs_next).masked_fill(terminated, 0.0)
        return self.from_features(features) + self.settings.gamma * next_potential - self._potential(obs)

    def training_reward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return f, the shaped reward; the algorithm adds - log pi(a|s)."""
        return self.logits(self.points(obs, act, obs_next), terminated)

    def _potential(self, normalized: Float[Tensor, "batch obs"]) -> Float[Tensor, " batch"]:
        values: Tensor = self.potential_net(normalized)
        return values.squeeze(-1)
