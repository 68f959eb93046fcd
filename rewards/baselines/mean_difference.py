"""Linear reward from the means of two data sets.

`MeanDifferenceReward`    difference of means over variances; nothing is learned
`MeanDifferenceSettings`  settings of `MeanDifferenceReward`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.rewards.base import lists_to_tuples
from rlpriors.rewards.baselines.features import (
    EPS,
    FeatureSettings,
    data_features,
    data_normalizer,
    settings_of_data,
)
from rlpriors.rewards.mlp import MLPReward, RewardInput

__all__ = ["MeanDifferenceReward", "MeanDifferenceSettings"]

_MOST = 20.0  # weight of an entry, in standard deviations


@dataclass(frozen=True)
class MeanDifferenceSettings(FeatureSettings):
    """Inputs of a `MeanDifferenceReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    def __post_init__(self) -> None:
        super().__post_init__()


class MeanDifferenceReward(MLPReward):
    """Linear reward r(x) = sum_i (d_i - m_i) / s_i^2 (x_i - (d_i + m_i) / 2), from statistics alone.

    d and m are the means of the demonstrations and the reference data.  s_i^2 = (std_d^2 + std_m^2) / 2 is
    the variance of entry i within both.  An entry in units of s_i thus has the weight (d - m) / s_i, which
    is bounded by 20 for entries that hardly vary.  The reward is 0 in the middle of both means.  A Discrete
    action counts as one entry for each action.  Constant entries have the weight 0.

    The formula is that of a linear discriminant with a diagonal covariance (Fisher 1936).  It pays speed
    where experts are fast and the reference is slow, and cannot express a goal inside of the reference data.
    It grows without bound outside of the data; see `ClippedReward` before training an agent on it.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> def store(*heights):
        ...     n = len(heights) - 1
        ...     return EpisodeStore.from_episodes(
        ...         [Episode(np.array(heights)[:, None], np.zeros((n, 1)), *np.zeros((3, n)))])
        >>> reward = MeanDifferenceReward.fit(store(2.0, 4.0, 0.0), store(0.0, -2.0, 0.0), device="cpu")
        >>> step = [[0.0]]  # means 3 and -1, standard deviations 1: (3 + 1) / 1 (x - 1)
        >>> reward.score([[1.0]], step, step), reward.score([[3.0]], step, step).round(4)
        (array([0.], dtype=float32), array([8.], dtype=float32))
    """

    settings: MeanDifferenceSettings

    def __init__(self, settings: MeanDifferenceSettings, normalizer: Normalizer | None = None) -> None:
        super().__init__(settings, normalizer)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "MeanDifferenceReward":
        return cls(MeanDifferenceSettings(**lists_to_tuples(settings)))

    @classmethod
    def fit(
        cls,
        demonstrations: EpisodeStore,
        reference: EpisodeStore,
        *,
        inputs: tuple[RewardInput, ...] = ("obs",),
        obs_index: tuple[int, ...] | None = None,
        n_actions: int | None = None,
        device: str | torch.device = "auto",
    ) -> "MeanDifferenceReward":
        """Compute the reward from demonstrations and reference data, such as random rollouts.

        Args:
            demonstrations: episodes of the expert, in raw units.
            reference: episodes of other behavior, in the same layout.
            inputs: parts of a transition that the reward reads.
            obs_index: indices of the observation entries that it reads; None for all.
            n_actions: size of a Discrete action space that the data do not record.
            device: device of the reward.

        Raises:
            ValueError: the data disagree, or no entry that the reward reads differs between them.
        """
        sizes = settings_of_data(demonstrations, reference, n_actions)
        settings = MeanDifferenceSettings(**sizes, inputs=inputs, obs_index=obs_index)
        reward = cls(settings, data_normalizer(settings, demonstrations, reference))
        for store, name in ((demonstrations, "the demonstrations"), (reference, "the reference data")):
            reward.record_layout(store.obs_layout, name)
        expert, other = (data_features(reward, store).double() for store in (demonstrations, reference))
        difference, middle = expert.mean(0) - other.mean(0), (expert.mean(0) + other.mean(0)) / 2
        within = (expert.var(0, unbiased=False) + other.var(0, unbiased=False)) / 2
        std = torch.maximum(within, (difference / _MOST).square()).sqrt()
        weights = torch.where(std > EPS, difference / std.square().clamp(min=EPS**2), 0.0)
        if not weights.any():
            raise ValueError(
                "`demonstrations` and `reference` must differ in the mean of an entry that the reward reads. "
                f"Received {len(weights)} entries of equal means; choose other `inputs` or `obs_index`, or "
                "other reference data."
            )
        with torch.no_grad():
            weight, bias = reward.net.parameters()
            weight.copy_(weights[None])
            bias.copy_(-(weights @ middle)[None])
        return reward.to(resolve_device(device)).eval()
