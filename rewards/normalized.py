"""Reward normalized to unit standard deviation.

`NormalizedReward`    a reward divided by its running standard deviation
`NormalizedSettings`  settings of `NormalizedReward`
`standardized`        reward with a fixed deviation of 1 and, if it is shifted, a mean of 0 on data
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.components import RewardComponent, build_components
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.rewards.validation import check_positive
from rlpriors.settings import check_fields

__all__ = ["NormalizedReward", "NormalizedSettings", "standardized"]

EPS = 1e-6
"""Standard deviation, as a fraction of the mean's size, up to which a reward counts as constant."""
STATISTICS = ("count", "mean", "variance")


@dataclass(frozen=True)
class NormalizedSettings:
    """Base reward and options of a `NormalizedReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    base: RewardComponent
    """Class and settings of the base reward."""

    center: bool = False
    """Subtraction of the running mean.  It adds a constant to every step, which changes the optimal
    policy of a task that can end early."""

    eps: float = 1e-6
    """Standard deviation up to which the base reward counts as constant and is not divided; above 0."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_positive(eps=self.eps)


class NormalizedReward(RewardModel):
    """A reward divided by its running standard deviation.

    For deployment: the step sizes and entropy bonuses of an RL algorithm are tuned for rewards of about
    1, and the scale of a learned reward is arbitrary.  Not for training the base reward, whose scale
    matters there.

    Only `observe` changes the statistics.  It is called by the user, on the rewards of stored data, or
    by `forward` while `updating` is True.  Set `updating` during rollouts and clear it once the
    statistics have converged, since each change also changes the agent's task.  A new or loaded model
    does not update.  Before the first `observe`, rewards pass unchanged.

    The running mean and variance are those of all observed rewards, merged batch by batch (Chan,
    Golub and LeVeque 1983, The American Statistician 37, eq. 2.1).  They are constants in the
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

    @check_arguments
    def __init__(self, base: RewardModel, center: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.settings = NormalizedSettings(RewardComponent.of(base), center, eps)
        self._set_layout([base])
        self.base = base
        self.updating = False
        """Switch for observing the base rewards of each `forward`."""
        device = base.device
        self.register_buffer("count", torch.tensor(0, device=device))
        self.register_buffer("mean", torch.tensor(0.0, device=device))
        self.register_buffer("variance", torch.tensor(0.0, device=device))

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "NormalizedReward":
        (base,) = build_components([settings["base"]])
        return cls(base, **{name: value for name, value in settings.items() if name != "base"})

    @property
    def std(self) -> Float[Tensor, ""]:
        """Divisor of the rewards: their running standard deviation, or 1 for constant rewards."""
        std = self.variance.sqrt()
        return torch.where(std > self.settings.eps, std, 1.0)

    @torch.no_grad()
    def observe(self, rewards: Float[Tensor, " batch"]) -> None:
        """Update the statistics with `rewards` of the base.

        Raises:
            ValueError: a reward is NaN or infinite, which would spoil the statistics permanently.
        """
        if not torch.isfinite(rewards).all():
            raise ValueError(
                "`rewards` must be finite. Received NaN or infinity from the base reward; the statistics are "
                "unchanged. Check the base reward."
            )
        if not len(rewards):
            return
        rewards = rewards.detach().to(self.mean)
        count = self.count + len(rewards)
        fraction = len(rewards) / count
        delta = rewards.mean() - self.mean
        batch_variance = rewards.var(unbiased=False)
        self.variance += fraction * (batch_variance - self.variance + (1 - fraction) * delta.square())
        self.mean += fraction * delta
        self.count.copy_(count)

    def statistics(self) -> dict[str, Tensor]:
        """Return the number of observed rewards, their mean and variance, for resuming a run."""
        return {name: getattr(self, name).clone() for name in STATISTICS}

    def load_statistics(self, statistics: Mapping[str, Tensor]) -> None:
        """Restore what `statistics` returned; the base is unchanged.

        Raises:
            KeyError: a statistic is missing; nothing is changed then.
        """
        values = [statistics[name] for name in STATISTICS]
        for name, value in zip(STATISTICS, values, strict=True):
            getattr(self, name).copy_(value)

    def forward(
        self,
        obs: Float[Tensor, "batch *obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the normalized reward of each transition; observe the base rewards first if `updating`."""
        rewards: Tensor = self.base(obs, act, obs_next, terminated)
        if self.updating:
            self.observe(rewards)
        # A copy: a later `observe` must not change the tensors in the graph of this call.
        return (rewards - self.mean.clone() if self.settings.center else rewards) / self.std


def standardized(reward: RewardModel, data: EpisodeStore, *, shift: bool = True) -> RewardModel:
    """Return the reward divided by its standard deviation over the data's steps, minus its mean if `shift`.

    Demonstrations and comparisons determine neither.  Where episodes can end early, the constant decides
    whether an agent ends or prolongs them: leave it as it is (`shift=False`), or add a number of your own.

    The members of an ensemble are standardized, too, so that their disagreement has the same unit.

    Raises:
        ValueError: the reward is constant on the data, or does not read its observations.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> reward = standardized(MLPReward(RewardSettings(obs_dim=1, act_dim=1)), data)
        >>> round(float(data.relabel(reward).rew.std()), 3)
        1.0
    """
    reward.eval()
    if isinstance(reward, EnsembleReward):
        reward = EnsembleReward([_standardize(member, data, shift) for member in reward.members], reward.k)
    return _standardize(reward, data, shift).eval()


def _standardize(reward: RewardModel, data: EpisodeStore, shift: bool) -> RewardModel:
    values = data.relabel(reward).rew.astype(np.float64)
    mean, std = float(values.mean()), float(values.std())
    if not std > EPS * max(1.0, abs(mean)):
        raise ValueError(
            f"`reward` must differ between steps of the data. Received the constant {mean:g}; train it "
            "longer (`--reward-updates`), or check that demonstrations differ from the data."
        )
    return (reward - mean) / std if shift else reward / std
