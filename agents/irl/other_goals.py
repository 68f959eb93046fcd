"""Demonstrations with the goals of other episodes, as negatives of reward learning.

`other_goals`  demonstrations that miss their goal, because it was replaced

Where observations contain a goal that differs between episodes, such as a target position, few goals are
demonstrated.  A reward that separates demonstrations from other behavior may then read the goal alone, or the
place alone, and know both by heart.  A demonstration next to a goal that it does not reach is a negative with
the same places and the same goals: only their relation separates the two.  The idea is that of hindsight
relabeling (arXiv 1707.01495), used for failures instead of successes.
"""

from dataclasses import replace

import numpy as np

from rlpriors.agents.irl.order_accuracy import goal_entries
from rlpriors.data.episodes import Episode, EpisodeStore

__all__ = ["other_goals"]

TOLERANCE = 1e-3
"""Distance of two equal goals, in standard deviations of their entries."""


def other_goals(
    demonstrations: EpisodeStore, data: EpisodeStore | None = None, *, n_copies: int = 20, seed: int = 0
) -> EpisodeStore:
    """Return copies of each demonstration with the goals of other episodes.

    A copy misses its goal, so that a termination of the demonstration is a truncation of the copy.

    Args:
        demonstrations: episodes with flat observations, some of whose entries are a goal: constant in each
            episode, and different between episodes.
        data: further episodes whose goals are used, such as the prior's data.
        n_copies: largest number of copies of each demonstration, at least 1.
        seed: random seed of the goals.

    Returns:
        Episodes for `DiffusionIRL(reference=[(other_goals(...), 1.0), ("prior_data", 1.0)])`.

    Raises:
        ValueError: no entry is a goal, all episodes have the same goal, or `n_copies` is below 1.

    Example:
        >>> def reach(goal):  # observation: position and goal
        ...     obs = np.stack([np.linspace(0, goal, 5), np.full(5, goal)], 1)
        ...     return Episode(obs, np.full((4, 1), goal / 4), *np.zeros((3, 4)))
        >>> missed = other_goals(EpisodeStore.from_episodes([reach(1.0), reach(2.0)]))
        >>> [missed.episode(i).obs[-1].tolist() for i in range(2)]
        [[1.0, 2.0], [2.0, 1.0]]
    """
    if n_copies < 1:
        raise ValueError(f"`n_copies` must be at least 1. Received {n_copies}.")
    if demonstrations.obs.ndim != 2:
        raise ValueError(
            f"`demonstrations` must have flat observations. Received {demonstrations.obs.shape[1:]}."
        )
    stores = [demonstrations] if data is None else [demonstrations, data]
    entries = goal_entries(demonstrations)
    if data is not None:
        entries = np.intersect1d(entries, goal_entries(data))
    if not len(entries):
        raise ValueError(
            "`demonstrations` and `data` must have observations with a goal: entries that are constant in "
            "each episode and differ between episodes. Received none; leave out the other goals."
        )
    firsts = [store.episode(i).obs[0, entries] for store in stores for i in range(store.n_episodes)]
    goals = np.unique(np.stack(firsts), axis=0)
    spread = goals.std(0)
    rng = np.random.default_rng(seed)
    copies: list[Episode] = []
    for number in range(demonstrations.n_episodes):
        episode = demonstrations.episode(number)
        distance = np.abs(goals - episode.obs[0, entries]) / np.where(spread > 0, spread, 1)
        others = goals[(distance > TOLERANCE).any(1)]
        for goal in others[rng.permutation(len(others))[:n_copies]]:
            obs = episode.obs.copy()
            obs[:, entries] = goal
            copies.append(
                episode._replace(
                    obs=obs,
                    terminated=np.zeros_like(episode.terminated),
                    truncated=episode.terminated | episode.truncated,
                )
            )
    if not copies:
        raise ValueError("`demonstrations` and `data` must hold at least two goals. Received one.")
    store = EpisodeStore.from_episodes(copies, action_space=demonstrations.action_space)
    return replace(store, obs_layout=demonstrations.obs_layout)
