"""Reward that reads observations within the range of the data it was learned from.

`ClippedReward`    a reward of observations that are clipped to a range
`ClippedSettings`  settings of `ClippedReward`
`observed_range`   smallest and largest value of each observation entry in data
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from rlpriors.arguments import as_number_array, check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel, lists_to_tuples
from rlpriors.rewards.components import RewardComponent, build_components
from rlpriors.settings import check_fields

__all__ = ["ClippedReward", "ClippedSettings", "observed_range"]


@dataclass(frozen=True)
class ClippedSettings:
    """Base reward and range of a `ClippedReward`.

    Raises:
        ValueError: the bounds have different lengths, or a lower bound is above its upper bound.
    """

    base: RewardComponent
    """Class and settings of the base reward."""

    low: tuple[float, ...]
    """Smallest value of each observation entry that the base reads, in raw units."""

    high: tuple[float, ...]
    """Largest value of each observation entry that the base reads, in raw units."""

    def __post_init__(self) -> None:
        check_fields(self)
        if len(self.low) != len(self.high):
            raise ValueError(
                f"`low` and `high` must have one number for each observation entry. Received {len(self.low)} "
                f"and {len(self.high)}."
            )
        above = [i for i, (low, high) in enumerate(zip(self.low, self.high, strict=True)) if not low <= high]
        if above:
            i = above[0]
            raise ValueError(
                f"`low` must be at most `high`. Received {self.low[i]} and {self.high[i]} in entry {i}."
            )


class ClippedReward(RewardModel):
    """A reward of observations that are clipped to a range, entry by entry.

    A learned reward says nothing about observations outside of its data, and an agent that is trained on it
    looks for them: a linear reward that pays a runner for leaning forward pays most for turning over.  Here
    an entry beyond the range of the data counts as the edge of the range.  Within the range the reward is
    unchanged.

    Args:
        base: reward of flat observations.
        low: smallest value of each observation entry.
        high: largest value of each observation entry.

    Raises:
        ValueError: the base reads images, or the bounds do not fit its observations.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> base = MLPReward(RewardSettings(obs_dim=1, act_dim=1))
        >>> reward = ClippedReward.fit(base, [EpisodeStore.from_episodes([walk])])
        >>> step = [[0.0]]
        >>> bool(reward.score([[50.0]], step, step) == base.score([[8.0]], step, step))
        True
    """

    settings: ClippedSettings
    low: Tensor
    high: Tensor

    @check_arguments
    def __init__(self, base: RewardModel, low: Sequence[float], high: Sequence[float]) -> None:
        super().__init__()
        bounds = (tuple(float(value) for value in bound) for bound in (low, high))
        self.settings = ClippedSettings(RewardComponent.of(base), *bounds)
        self._set_layout([base])
        if base.image_shape is not None:
            raise ValueError(
                f"`base` must read vectors. Received a {type(base).__name__} of images, whose range is fixed."
            )
        if len(self.settings.low) != self.obs_dim:
            raise ValueError(
                f"`low` and `high` must have the {self.obs_dim} entries of an observation. Received "
                f"{len(self.settings.low)}."
            )
        self.base = base
        # The settings already hold the bounds; saving them too would let both disagree.
        self.register_buffer("low", torch.tensor(self.settings.low, device=base.device), persistent=False)
        self.register_buffer("high", torch.tensor(self.settings.high, device=base.device), persistent=False)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "ClippedReward":
        (base,) = build_components([settings["base"]])
        bounds = lists_to_tuples({name: settings[name] for name in ("low", "high")})
        return cls(base, **bounds)

    @classmethod
    def fit(cls, base: RewardModel, stores: Sequence[EpisodeStore]) -> "ClippedReward":
        """Clip to the range of the data that `base` was learned from: demonstrations and negatives.

        Raises:
            ValueError: there are no stores, or their observations are not those of the base.
        """
        return cls(base, *(bound.tolist() for bound in observed_range(stores))).train(base.training)

    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the base reward of each transition, with both observations clipped."""
        within, within_next = (torch.clamp(part, self.low, self.high) for part in (obs, obs_next))
        rewards: Tensor = self.base(within, act, within_next, terminated)
        return rewards


@check_arguments
def observed_range(stores: Sequence[EpisodeStore]) -> tuple[Float32[np.ndarray, " obs"], ...]:
    """Return the smallest and the largest value of each observation entry in several stores.

    Raises:
        SettingsError: `stores` is no sequence of stores.
        ValueError: there are no stores, or they contain images or observations of different sizes.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> observed_range([EpisodeStore.from_episodes([walk])])
        (array([0.], dtype=float32), array([8.], dtype=float32))
    """
    shapes = sorted({store.obs.shape[1:] for store in stores})
    if len(shapes) != 1 or len(shapes[0]) != 1:
        raise ValueError(
            "`stores` must contain at least one store, and flat observations of one size. Received "
            f"{len(stores)} stores, with observations of the shapes {shapes}."
        )
    arrays = [as_number_array("obs", store.obs) for store in stores]
    low = np.min([array.min(0) for array in arrays], axis=0).astype(np.float32)
    high = np.max([array.max(0) for array in arrays], axis=0).astype(np.float32)
    return low, high
