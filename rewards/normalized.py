"""Rewards of a known size, whatever they were learned as.

`NormalizedReward`    a reward divided by its running standard deviation
`NormalizedSettings`  what it is rebuilt from
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardPart, build_parts

__all__ = ["NormalizedReward", "NormalizedSettings"]

STATISTICS = ("count", "mean", "variance")


@dataclass(frozen=True)
class NormalizedSettings:
    """What a `NormalizedReward` is rebuilt from.

    Raises:
        ValueError: a field is out of its bounds.
    """

    part: RewardPart
    """Class and settings of the base reward."""

    center: bool = False
    """Whether the running mean is taken off, too.  That adds a constant to every step, which
    changes the best policy of a task that can end early."""

    eps: float = 1e-6
    """A standard deviation up to this is not divided by: the base is constant then.  Above 0."""

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise ValueError(f"`eps` must be above 0. Received {self.eps}.")


class NormalizedReward(RewardModel):
    """A reward divided by the running standard deviation of what it gave.

    For deployment: step sizes and entropy bonuses of an RL algorithm expect rewards of about 1,
    while a learned reward has whatever scale its penalties left it with.  Not for learning the
    base, whose scale has a meaning there.

    Statistics move only through `observe`.  It is called by hand, on the rewards of stored data,
    or by every judgment while `updating` is True: switch it on while acting and off for good
    once the statistics have settled, since each change moves the task under the agent.  A new or
    loaded model does not update.  Before anything was observed, rewards pass unchanged.

    The running mean and variance are those of all rewards seen, merged batch by batch (Chan,
    Golub and LeVeque 1983, The American Statistician 37, eq. 2.1).  They are constants to the
    gradient, which flows through the base.

    Raises:
        ValueError: `eps` is not above 0.

    Example:
        >>> from rlpriors.rewards.mlp import MLPReward, RewardSettings
        >>> model = NormalizedReward(MLPReward(RewardSettings(obs_dim=2, act_dim=1)))
        >>> obs, act, end = torch.randn(64, 2), torch.zeros(64, 1), torch.zeros(64, dtype=torch.bool)
        >>> model.updating = True
        >>> rewards = model(obs, act, obs, end)
        >>> model.updating = False
        >>> torch.allclose(rewards.std(unbiased=False), torch.tensor(1.0))
        True
    """

    settings: NormalizedSettings
    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, base: RewardModel, center: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.settings = NormalizedSettings(RewardPart.of(base), center, eps)
        self.obs_dim, self.act_dim, self.obs_keys = base.obs_dim, base.act_dim, base.obs_keys
        self.n_actions = base.n_actions
        self.base = base
        self.updating = False
        """Whether every judgment is observed."""
        device = base.device
        self.register_buffer("count", torch.tensor(0, device=device))
        self.register_buffer("mean", torch.tensor(0.0, device=device))
        self.register_buffer("variance", torch.tensor(0.0, device=device))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "NormalizedReward":
        (base,) = build_parts([settings["part"]])
        return cls(base, **{name: value for name, value in settings.items() if name != "part"})

    @property
    def std(self) -> Float[Tensor, ""]:
        """What rewards are divided by: 1 as long as nothing varied."""
        std = self.variance.sqrt()
        return torch.where(std > self.settings.eps, std, 1.0)

    @torch.no_grad()
    def observe(self, rewards: Float[Tensor, " batch"]) -> None:
        """Count the base's `rewards` in.

        Raises:
            ValueError: they hold NaN or infinity, which no later ones could repair.
        """
        if not torch.isfinite(rewards).all():
            raise ValueError(
                "`rewards` must be finite. Received NaN or infinity from the base reward; statistics were "
                "left as they were."
            )
        if not len(rewards):
            return
        rewards = rewards.detach().to(self.mean)
        count = self.count + len(rewards)
        share = len(rewards) / count
        delta = rewards.mean() - self.mean
        spread = rewards.var(unbiased=False)
        self.variance += share * (spread - self.variance + (1 - share) * delta.square())
        self.mean += share * delta
        self.count.copy_(count)

    def statistics(self) -> dict[str, Tensor]:
        """How many rewards were seen, their mean and variance: what a run that is resumed goes on with."""
        return {name: getattr(self, name).clone() for name in STATISTICS}

    def load_statistics(self, statistics: Mapping[str, Tensor]) -> None:
        """Go on from what `statistics` gave; the base stays as it is.

        Raises:
            KeyError: one is missing; nothing is changed then.
        """
        found = [statistics[name] for name in STATISTICS]
        for name, value in zip(STATISTICS, found, strict=True):
            getattr(self, name).copy_(value)

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Judge each transition; observes the base's rewards first while `updating`."""
        rewards: Tensor = self.base(obs, act, obs_next, terminated)
        if self.updating:
            self.observe(rewards)
        # Copies: a later `observe` must not change what this judgment's graph holds.
        return (rewards - self.mean.clone() if self.settings.center else rewards) / self.std
