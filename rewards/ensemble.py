"""Ensemble of rewards with a penalty on their disagreement.

`EnsembleReward`    mean minus k standard deviations of its members
`EnsembleSettings`  settings of `EnsembleReward`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardComponent, build_components, check_compatible
from rlpriors.rewards.validation import check_factors
from rlpriors.settings import check_fields

__all__ = ["EnsembleReward", "EnsembleSettings"]


@dataclass(frozen=True)
class EnsembleSettings:
    """Members and penalty of an `EnsembleReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    members: tuple[RewardComponent, ...]
    """Class and settings of each member."""

    k: float = 0.0
    """Number of standard deviations that are subtracted from the mean, in -1e30..1e30; a negative number
    rewards disagreement, for exploration."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_factors(k=(self.k,))


class EnsembleReward(RewardModel):
    """Mean minus `k` population standard deviations of several rewards.

    Members with different initial weights agree on transitions like those of the training data.  A
    positive `k` lowers the reward of transitions on which they disagree, so that an agent cannot exploit
    the error of a single member.  Coste et al. 2023 (arXiv 2310.02743) subtract a multiple of the
    variance; the standard deviation has the unit of the reward.  Use a positive `k` for training a
    policy, and `k` = 0 for comparing rewards.

    The scale of a learned reward is arbitrary.  If the members' scales differ much, the largest
    dominates; wrap each member in a `NormalizedReward` first.

    Raises:
        ValueError: there are no members, they read different transitions, or `k` is too large for float32.

    Example:
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> settings = RewardSettings(obs_dim=2, act_dim=1)
        >>> model = EnsembleReward([MLPReward(settings) for _ in range(3)], k=1.0)
        >>> obs, act, end = torch.zeros(4, 2), torch.zeros(4, 1), torch.zeros(4, dtype=torch.bool)
        >>> mean = model.member_rewards(obs, act, obs, end).mean(0)
        >>> torch.allclose(model(obs, act, obs, end), mean - model.disagreement(obs, act, obs, end))
        True
    """

    settings: EnsembleSettings

    def __init__(self, members: Sequence[RewardModel], k: float = 0.0) -> None:
        super().__init__()
        check_compatible("members", members)
        self.settings = EnsembleSettings(tuple(RewardComponent.of(member) for member in members), k)
        self._set_layout(members)
        self._members = nn.ModuleList(members)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "EnsembleReward":
        return cls(build_components(settings["members"]), settings["k"])

    @property
    def members(self) -> tuple[RewardModel, ...]:
        """Rewards that are averaged."""
        return tuple(cast(RewardModel, member) for member in self._members)

    @property
    def k(self) -> float:
        """Number of standard deviations that are subtracted."""
        return self.settings.k

    def member_rewards(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "members batch"]:
        """Return the rewards of each member."""
        return torch.stack(
            [member(obs, self._actions_for(member, act), obs_next, terminated) for member in self.members]
        )

    def disagreement(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the standard deviation over the members."""
        return _population_std(self.member_rewards(obs, act, obs_next, terminated))

    def forward(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the mean minus k standard deviations for each transition."""
        member_rewards = self.member_rewards(obs, act, obs_next, terminated)
        mean = member_rewards.mean(0)
        return mean if self.k == 0 else mean - self.k * _population_std(member_rewards)


def _population_std(member_rewards: Float[Tensor, "members batch"]) -> Float[Tensor, " batch"]:
    variance = (member_rewards - member_rewards.mean(0)).square().mean(0)  # `var` warns of an empty batch
    differs = variance > 0
    # The root's gradient at 0 is infinite; where all members agree it is taken as 0.
    return torch.where(differs, variance, 1.0).sqrt() * differs
