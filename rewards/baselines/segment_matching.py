"""Reward from the distance to the demonstrated steps of about the same time.

`SegmentMatching`  nearest step in the segment of a demonstration that belongs to a step's time
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks.base import check_at_least
from rlpriors.rewards.baselines.features import data_features
from rlpriors.rewards.baselines.nearest_expert import NearestExpertReward, nearest_rows

__all__ = ["SegmentMatching"]


class SegmentMatching:
    """Segment-matching reward: the distance to the nearest demonstrated step of about the same time.

    Each demonstration is cut into `n_segments` parts of equal length, and an agent's step is compared with
    the part of its own time only (Dong et al. 2025, arXiv 2506.06793, where it equals optimal transport on 32
    benchmarks).  The nearest of all demonstrations counts.  Units and forms are those of
    `NearestExpertReward`, which is the case of one segment.

    Time is no part of a transition, so that this is no `RewardModel`: it relabels whole episodes, before
    offline training or after a collection.

    Args:
        steps: `NearestExpertReward` of all demonstrated steps.
        segment_of: number of the segment of each of its stored steps.
        horizon: number of steps of an agent's episode that the segments span; later steps belong to the last
            segment.
        n_segments: number of segments.

    Example:
        >>> from rlpriors.data import Episode
        >>> way = Episode(np.arange(5.0)[:, None], np.zeros((4, 1)), *np.zeros((3, 4)))
        >>> demonstrations = EpisodeStore.from_episodes([way])
        >>> early = Episode(np.full((5, 1), 3.0), np.zeros((4, 1)), *np.zeros((3, 4)))
        >>> matching = SegmentMatching.fit(demonstrations, n_segments=2)
        >>> matching.relabel(EpisodeStore.from_episodes([early])).rew.round(2)  # steps 0, 1 then 2, 3
        array([-1.79, -1.79, -0.  , -0.  ], dtype=float32)
    """

    def __init__(
        self, steps: NearestExpertReward, segment_of: Int[np.ndarray, " rows"], horizon: int, n_segments: int
    ) -> None:
        check_at_least(1, horizon=horizon, n_segments=n_segments)
        if segment_of.shape != (len(steps.rows),):
            raise ValueError(
                f"`segment_of` must have one number for each of the {len(steps.rows)} stored steps. Received "
                f"shape {segment_of.shape}."
            )
        missing = sorted(set(range(n_segments)) - set(segment_of.tolist()))
        if missing:
            raise ValueError(
                f"`n_segments` must leave a demonstrated step in each segment. Received {n_segments}, and "
                f"the segments {missing} are empty; use fewer segments."
            )
        self.steps, self.segment_of = steps, segment_of
        self.horizon, self.n_segments = horizon, n_segments

    @classmethod
    @check_arguments
    def fit(
        cls,
        demonstrations: EpisodeStore,
        reference: EpisodeStore | None = None,
        *,
        n_segments: int = 10,
        horizon: int | None = None,
        **arguments: Any,
    ) -> "SegmentMatching":
        """Store the demonstrated steps with their segments.

        Args:
            demonstrations: episodes of the expert, in raw units.
            reference: further episodes whose spread also counts for the units, in equal shares.
            n_segments: number of segments.
            horizon: number of steps of an agent's episode that the segments span; by default the longest
                demonstration.
            **arguments: `inputs`, `obs_index`, `n_actions`, `form`, `beta` and `device` of
                `NearestExpertReward.fit`.

        Raises:
            ValueError: an argument is out of bounds, the data disagree, or a segment has no step.
        """
        check_at_least(1, n_segments=n_segments)
        steps = NearestExpertReward.fit(
            demonstrations, reference, max_rows=demonstrations.n_steps, **arguments
        )
        time = np.arange(demonstrations.n_steps) - demonstrations.step_starts[demonstrations.episode_of]
        length = demonstrations.lengths[demonstrations.episode_of]
        horizon = int(demonstrations.lengths.max()) if horizon is None else horizon
        return cls(steps, time * n_segments // length, horizon, n_segments)

    def rewards(self, store: EpisodeStore) -> Float[np.ndarray, " steps"]:
        """Return the reward of each step of whole episodes.

        Raises:
            ValueError: the observations are of another size or of other leaves.
        """
        self.steps.record_layout(store.obs_layout, "the data")
        features = data_features(self.steps, store)
        time = np.arange(store.n_steps) - store.step_starts[store.episode_of]
        segment = np.minimum(time * self.n_segments // self.horizon, self.n_segments - 1)
        distance = torch.empty(store.n_steps)
        for number in np.unique(segment):
            own = self.steps.rows[torch.from_numpy(np.flatnonzero(self.segment_of == number))]
            at = torch.from_numpy(np.flatnonzero(segment == number))
            part = features[at.to(features.device)]
            nearest = own[nearest_rows(part, own)]
            distance[at] = torch.linalg.vector_norm(part - nearest, dim=-1).cpu()
        distance /= self.steps.feature_dim**0.5
        settings = self.steps.settings
        rewards = -distance if settings.form == "distance" else torch.exp(-settings.beta * distance)
        return rewards.numpy()

    def relabel(self, store: EpisodeStore) -> EpisodeStore:
        """Return a store with these rewards that shares the other arrays."""
        return replace(store, rew=self.rewards(store))
