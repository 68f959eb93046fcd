"""One vector for each episode, and one reward for each episode.

`embed_episodes`         mean or last observation of each episode, or that of a function
`store_episode_rewards`  rewards of episodes on their last steps
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore

__all__ = ["Pool", "embed_episodes", "store_episode_rewards"]

Pool = Literal["mean", "last"]
"""Summary of an episode: the mean over its observations, or that of the last ones."""


@check_arguments
def embed_episodes(
    store: EpisodeStore,
    encode: Callable[[Shaped[np.ndarray, "n *obs"]], Float[np.ndarray, "n dim"]] | None = None,
    pool: Pool = "mean",
    last: int = 1,
) -> Float[np.ndarray, "episodes dim"]:
    """Return one vector for each episode.

    Args:
        store: episodes.
        encode: function from observations to features, such as those of a frozen encoder; by default the
            flattened observations.
        pool: "mean" is the mean over all observations of the episode, which shows the way; "last" is that
            over the last ones, which shows the end.
        last: number of last observations for "last".

    Raises:
        ValueError: an argument is out of bounds, or `encode` does not return a vector for each observation.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.array([[0.0], [1.0], [5.0]]), np.zeros((2, 1)), *np.zeros((3, 2)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> embed_episodes(store).tolist(), embed_episodes(store, pool="last").tolist()
        ([[2.0]], [[5.0]])
    """
    if last < 1:
        raise ValueError(f"`last` must be at least 1. Received {last}.")
    n = len(store.obs)
    features = store.obs.reshape(n, -1) if encode is None else np.asarray(encode(store.obs))
    if features.ndim != 2 or len(features) != n or not np.isfinite(features).all():
        raise ValueError(
            f"`encode` must return a finite vector for each of the {n} observations. Received shape "
            f"{features.shape}."
        )
    first = store.step_starts + np.arange(store.n_episodes)
    ends = first + store.lengths + 1
    if pool == "last":
        first = np.maximum(first, ends - last)
    rows = zip(first, ends, strict=True)
    return np.stack([features[start:end].mean(0, dtype=np.float64) for start, end in rows])


def store_episode_rewards(store: EpisodeStore, rewards: Float[np.ndarray, " episodes"]) -> EpisodeStore:
    """Return a store with the reward of each episode on its last step and 0 elsewhere.

    The other arrays are shared.

    Raises:
        ValueError: there is not one number for each episode.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.zeros((4, 1)), np.zeros((3, 1)), *np.zeros((3, 3)))
        >>> store_episode_rewards(EpisodeStore.from_episodes([walk, walk]), np.array([1.0, 0.25])).rew
        array([0.  , 0.  , 1.  , 0.  , 0.  , 0.25], dtype=float32)
    """
    if rewards.shape != (store.n_episodes,):
        raise ValueError(
            f"`rewards` must be one number for each of the {store.n_episodes} episodes. Received shape "
            f"{rewards.shape}."
        )
    rew = np.zeros(store.n_steps, np.float32)
    rew[store.step_starts + store.lengths - 1] = rewards
    return replace(store, rew=rew)
