"""Rewards that come out of telling demonstrations from what an agent does.

`Discriminator`  a reward model with a logit: how much likelier the demonstrator made this step
`GAILReward`     a perceptron over (s, a)
`AIRLReward`     r(s) + gamma phi(s') - phi(s) against the policy's own log-probability

They learn in `agents.imitation.adversarial`, and are saved, loaded and used as any reward model.
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
from rlpriors.rewards.base import RewardModel, with_tuples
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings

__all__ = ["AIRLReward", "AIRLSettings", "Discriminator", "GAILReward", "GAILSettings", "RewardForm"]

RewardForm = Literal["-log(1-D)", "log(D)", "logit"]


class Discriminator(RewardModel):
    """A reward model that says of each step how likely it was demonstrated: D = sigmoid(logit).

    The logit is `logits` of `points`, so that a loss can take gradient penalties in normalized
    units, where every entry counts alike.
    """

    subtracts_log_prob: ClassVar[bool] = False
    """Whether D = sigmoid(logit - log pi(a|s)), so that the policy's log-probability is needed."""

    @abstractmethod
    def points(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch points"]:
        """The normalized numbers that `logits` reads."""

    @abstractmethod
    def logits(
        self,
        points: Float[Tensor, "batch points"],
        terminated: Bool[Tensor, " batch"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """The logit of each step; `generator` is the source of noise for those that draw some."""

    def training_reward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """What the policy learns from while both learn; what is published unless said otherwise."""
        rewards: Tensor = self(obs, act, obs_next, terminated)
        return rewards


@dataclass(frozen=True)
class GAILSettings(RewardSettings):
    """What a `GAILReward` reads, how large it is, and which function of D it pays.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """What of a transition is read; ("obs", "obs_next") imitates without seeing actions."""

    form: RewardForm = "-log(1-D)"
    """"-log(1-D)" is the original and always positive, so an agent gains by living on; "log(D)" is
    always negative, so it gains by ending; "logit", their sum, favors neither (1809.02925, 4.1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in get_args(RewardForm):
            raise ValueError(f"`form` must be one of {get_args(RewardForm)}. Received {self.form!r}.")


class GAILReward(MLPReward, Discriminator):
    """The discriminator of generative adversarial imitation (GAIL, 1606.03476, algorithm 1).

    D is the probability that a step was demonstrated (the paper's D is that it was not).  When the
    agent imitates perfectly D is 1/2 everywhere: what remains is no reward to train another agent
    on, and GAIL does not claim it.

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
        return cls(GAILSettings(**with_tuples(settings)))

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
        """Judge what `features` gave, in the form of the settings."""
        logit: Tensor = self.net(features).squeeze(-1)
        if self.settings.form == "logit":
            return logit
        if self.settings.form == "log(D)":
            return nn.functional.logsigmoid(logit)
        return nn.functional.softplus(logit)


@dataclass(frozen=True)
class AIRLSettings(RewardSettings):
    """What an `AIRLReward` reads and how large it is; by default the reward is one of states alone.

    `spectral_norm` bounds the slope of the reward, not of the potential.

    Raises:
        ValueError: a field is out of its bounds.
    """

    gamma: float = 0.99
    """Discount of the task, from 0 to 1; the policy that learns from it must use the same."""

    potential_hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer of the potential; empty makes it linear."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"`gamma` must be in the interval [0, 1]. Received {self.gamma}.")
        check_widths(potential_hidden=self.potential_hidden)


class AIRLReward(MLPReward, Discriminator):
    """The discriminator of adversarial inverse RL (AIRL, 1710.11248, eq. 4 and section 6).

    D = sigmoid(f - log pi(a|s)) with f = r + gamma (1 - terminated) phi(s') - phi(s).  Judging, it
    gives r, the part that transfers to other dynamics when it reads states alone (theorem 5.1: and
    the dynamics are deterministic).  While both learn, an on-policy algorithm is paid f - log pi(a|s)
    (algorithm 1); an off-policy one is paid f, and its entropy bonus stands for - log pi: exact for a
    maximum-entropy policy of temperature 1.

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
        return cls(AIRLSettings(**with_tuples(settings)))

    def potential(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, " batch"]:
        """phi(s) of each observation."""
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
        """f of each step; the policy's log-probability is still to be subtracted."""
        features, now, later = points.split([self.feature_dim, self.obs_dim, self.obs_dim], -1)
        after = self._potential(later).masked_fill(terminated, 0.0)
        return self.from_features(features) + self.settings.gamma * after - self._potential(now)

    def training_reward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """f, the reward with its shaping; - log pi(a|s) is for the algorithm to add."""
        return self.logits(self.points(obs, act, obs_next), terminated)

    def _potential(self, normalized: Float[Tensor, "batch obs"]) -> Float[Tensor, " batch"]:
        values: Tensor = self.potential_net(normalized)
        return values.squeeze(-1)
