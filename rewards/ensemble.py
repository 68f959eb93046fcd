"""Several rewards as one that is careful where they disagree.

`EnsembleReward`    mean - k standard deviations of its members
`EnsembleSettings`  what it is rebuilt from
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardPart, build_parts, check_alike

__all__ = ["EnsembleReward", "EnsembleSettings"]


@dataclass(frozen=True)
class EnsembleSettings:
    """What an `EnsembleReward` is rebuilt from.

    Raises:
        ValueError: a field is out of its bounds.
    """

    parts: tuple[RewardPart, ...]
    """Class and settings of each member."""

    k: float = 0.0
    """Standard deviations that are taken off the mean; below 0 it rewards disagreement, as
    exploration does."""

    def __post_init__(self) -> None:
        if not math.isfinite(self.k):
            raise ValueError(f"`k` must be finite. Received {self.k}.")


class EnsembleReward(RewardModel):
    """Mean minus `k` standard deviations of several rewards (members are the population, not a sample).

    Members that were learned from different starting weights agree where there was data.  With
    `k` above 0, an agent gains less by going where they do not, instead of exploiting one member's
    error there (Coste et al. 2023, arXiv 2310.02743, who take off a multiple of the variance; in
    the reward's own units, it is the deviation here).  Take it while acting, and `k` = 0 while
    comparing rewards.

    A learned reward has no scale of its own.  Where the members' scales differ much, the largest
    one decides; wrap each in a `NormalizedReward` first.

    Raises:
        ValueError: no members, or they read different transitions, or `k` is not finite.

    Example:
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> settings = RewardSettings(obs_dim=2, act_dim=1)
        >>> model = EnsembleReward([MLPReward(settings) for _ in range(3)], k=1.0)
        >>> obs, act, end = torch.zeros(4, 2), torch.zeros(4, 1), torch.zeros(4, dtype=torch.bool)
        >>> mean = model.judgments(obs, act, obs, end).mean(0)
        >>> torch.allclose(model(obs, act, obs, end), mean - model.disagreement(obs, act, obs, end))
        True
    """

    settings: EnsembleSettings

    def __init__(self, members: Sequence[RewardModel], k: float = 0.0) -> None:
        super().__init__()
        check_alike("members", members)
        self.settings = EnsembleSettings(tuple(RewardPart.of(member) for member in members), k)
        self.obs_dim, self.act_dim = members[0].obs_dim, members[0].act_dim
        self.obs_keys = members[0].obs_keys
        self.n_actions = next((m.n_actions for m in members if m.n_actions is not None), None)
        self._members = nn.ModuleList(members)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "EnsembleReward":
        return cls(build_parts(settings["parts"]), settings["k"])

    @property
    def members(self) -> tuple[RewardModel, ...]:
        """The rewards that are averaged."""
        return tuple(cast(RewardModel, member) for member in self._members)

    @property
    def k(self) -> float:
        """Standard deviations that are taken off."""
        return self.settings.k

    def judgments(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "members batch"]:
        """What each member says."""
        return torch.stack([member(obs, act, obs_next, terminated) for member in self._members])

    def disagreement(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Standard deviation over the members."""
        return _spread(self.judgments(obs, act, obs_next, terminated))

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Judge each transition: mean - k standard deviations."""
        judgments = self.judgments(obs, act, obs_next, terminated)
        mean = judgments.mean(0)
        return mean if self.k == 0 else mean - self.k * _spread(judgments)


def _spread(judgments: Float[Tensor, "members batch"]) -> Float[Tensor, " batch"]:
    variance = (judgments - judgments.mean(0)).square().mean(0)  # `var` warns of an empty batch
    differs = variance > 0
    # The root's gradient at 0 is infinite; where all members agree it is taken as 0.
    return torch.where(differs, variance, 1.0).sqrt() * differs
