"""Goals in hindsight, for goal-conditioned cloning: each step leads to a later observation.

`add_hindsight_goals`  data whose observations contain a future observation of their episode
"""

from dataclasses import replace

import numpy as np

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore

__all__ = ["add_hindsight_goals"]


@check_arguments
def add_hindsight_goals(data: EpisodeStore, gamma: float = 0.98, seed: int = 0) -> EpisodeStore:
    """Return data with observations `[observation, goal]`, for `BehaviorCloning` on goals.

    The goal of a step is a later observation of its episode, as in `EpisodeStore.future_goals`; the last
    observation is its own goal.  A policy that clones these data acts on `[observation, goal]`
    (goal-conditioned behavior cloning, arXiv 1906.05838).  It is the baseline of zero-shot agents.

    Raises:
        ValueError: observations are not vectors, or `gamma` is out of its bounds.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(3.0)[:, None], np.ones((2, 1)), *np.zeros((3, 2)))
        >>> add_hindsight_goals(EpisodeStore.from_episodes([walk]), gamma=0.0).obs.tolist()
        [[0.0, 1.0], [1.0, 2.0], [2.0, 2.0]]
    """
    if data.obs.ndim != 2:
        raise ValueError(f"`data` must have vectors for observations. Received shape {data.obs.shape[1:]}.")
    steps = np.arange(data.n_steps)
    goals = data.obs.copy()
    goals[data.obs_index(steps)] = data.obs[data.future_goals(steps, gamma, np.random.default_rng(seed))]
    return replace(data, obs=np.concatenate([data.obs, goals], 1), obs_layout=None)
