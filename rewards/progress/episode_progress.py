"""Progress of failed episodes toward the successes of the same batch (SRPO).

`ProgressSettings`  settings of the clusters and of the reward
`success_centers`   centers of clusters of successful episodes
`episode_progress`  reward of each episode of a batch
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.cluster import DBSCAN

from rlpriors.settings import check_fields

__all__ = ["ProgressSettings", "episode_progress", "success_centers"]

EPS = 1e-9
"""Relative standard deviation up to which an entry counts as constant: it is not scaled."""


@dataclass(frozen=True)
class ProgressSettings:
    """Settings of the clusters of successes and of the reward of failures.

    Raises:
        ValueError: a field is out of its bounds.
    """

    most: float = 0.6
    """Bound on the reward of a failure, in [0, 1); that of a success is 1."""

    sharpness: float = 10.0
    """Slope of the reward in the distance, above 0."""

    eps: float = 0.5
    """Largest distance of neighbors in a cluster, in standard deviations of the successes, above 0."""

    fewest: int = 2
    """Number of neighboring successes that make a cluster, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.most < 1:
            raise ValueError(f"`most` must be in [0, 1). Received {self.most}.")
        for name in ("sharpness", "eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be above 0. Received {getattr(self, name)}.")
        if self.fewest < 1:
            raise ValueError(f"`fewest` must be at least 1. Received {self.fewest}.")


def success_centers(
    scaled: Float[np.ndarray, "successes dim"], settings: ProgressSettings
) -> Float[np.ndarray, "centers dim"]:
    """Return the means of the clusters that DBSCAN finds, or the mean of all where it finds none."""
    labels = DBSCAN(eps=settings.eps, min_samples=settings.fewest).fit_predict(scaled)
    found = [scaled[labels == label].mean(0) for label in np.unique(labels[labels >= 0])]
    return np.stack(found) if found else scaled.mean(0, keepdims=True)


def episode_progress(
    embeddings: Float[np.ndarray, "episodes dim"],
    success: Bool[np.ndarray, " n"],
    settings: ProgressSettings | None = None,
) -> Float[np.ndarray, " episodes"]:
    """Return the reward of each episode of a batch: 1 for a success, a progress for a failure.

    The progress is `most * sigmoid(sharpness * (1/2 - d))`.  d is the distance of the failure's embedding to
    the nearest center of successes, scaled to 0..1 over the failures of the batch.  It is 1/2 where all
    failures are equally far.  Distances are in standard deviations of the successes, per entry.  Without a
    success, all rewards are 0: there is nothing to learn from (SRPO, Fei et al. 2025, arXiv 2511.15605).

    Rewards depend on the batch, so that an algorithm that compares the episodes of one batch must read them.

    Args:
        embeddings: one vector for each episode, as of `embed_episodes`.
        success: True for each successful episode.
        settings: settings of clusters and reward.

    Raises:
        ValueError: shapes disagree, or an embedding is not finite.

    Example:
        >>> embeddings = np.array([[0.0], [0.2], [1.0], [9.0]])
        >>> episode_progress(embeddings, np.array([True, True, False, False])).round(3).tolist()
        [1.0, 1.0, 0.596, 0.004]
    """
    settings = ProgressSettings() if settings is None else settings
    if embeddings.ndim != 2 or success.shape != (len(embeddings),) or not np.isfinite(embeddings).all():
        raise ValueError(
            "`embeddings` must be a finite vector for each episode, and `success` a boolean. Received shapes "
            f"{embeddings.shape} and {success.shape}."
        )
    rewards = success.astype(np.float64)
    if not success.any() or success.all():
        return rewards
    mean, std = embeddings[success].mean(0), embeddings[success].std(0)
    scaled = (embeddings - mean) / np.where(std > EPS * (1 + np.abs(mean)), std, 1.0)
    centers = success_centers(scaled[success], settings)
    failed = scaled[~success]
    distance = np.linalg.norm(failed[:, None] - centers, axis=-1).min(1)
    spread = float(np.ptp(distance))
    share = (distance - distance.min()) / spread if spread > 0 else np.full(len(distance), 0.5)
    rewards[~success] = settings.most / (1 + np.exp(-settings.sharpness * (0.5 - share)))
    return rewards
