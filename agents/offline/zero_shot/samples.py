"""Samples of zero-shot learning: transitions, goals of the same episode, random observations.

`GoalBatch`            transitions with goals
`GoalBuffer`           replay buffer that samples them from an `EpisodeStore`
`add_hindsight_goals`  data whose observations contain a future observation, for goal-conditioned cloning
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore

__all__ = ["GoalBatch", "GoalBuffer", "add_hindsight_goals"]


class GoalBatch(NamedTuple):
    """Transitions with goals, as tensors."""

    obs: Float[Tensor, "batch obs"]
    """Observations before the step."""
    act: Float[Tensor, "batch act"]
    """Actions."""
    obs_next: Float[Tensor, "batch obs"]
    """Observations after the step."""
    terminated: Bool[Tensor, " batch"]
    """True where the environment ended the episode by its rules."""
    goal: Float[Tensor, "batch obs"]
    """Goals: a future observation of the same episode, or a random observation."""
    at_goal: Bool[Tensor, " batch"]
    """True where the goal is the observation before the step."""
    reached: Bool[Tensor, " batch"]
    """True where the goal is the observation after the step."""
    other: Float[Tensor, "batch obs"]
    """Random observations of all episodes."""


class GoalBuffer(ReplayBuffer):
    """Replay buffer that samples transitions of a store with goals.

    A future goal is an observation of the same episode, the k-th after the step with a probability
    proportional to `gamma**(k-1)`.  A sample depends on `seed` and `draws` only, so a resumed run draws the
    same batches as an uninterrupted run.

    Args:
        store: episodes.
        gamma: discount factor of future goals, in [0, 1].
        random_goals: fraction of goals that are random observations.
        seed: random seed of the samples.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> buffer = GoalBuffer(EpisodeStore.from_episodes([walk]), gamma=0.9, random_goals=0.0, seed=0)
        >>> batch, steps = buffer.sample(64)
        >>> bool((batch.goal > batch.obs).all()), len(buffer)
        (True, 8)
    """

    def __init__(self, store: EpisodeStore, gamma: float, random_goals: float, seed: int) -> None:
        super().__init__(size=1)
        self.store, self.gamma, self.random_goals, self.seed = store, gamma, random_goals, seed
        self.draws = 0

    def __len__(self) -> int:
        return self.store.n_steps

    # Any, because Tianshou's batch protocol requires single transitions.
    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample steps with replacement; return all of them, in order, for None or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        store = self.store
        steps = rng.integers(store.n_steps, size=batch_size) if batch_size else np.arange(store.n_steps)
        at = store.obs_index(steps)
        future = store.future_goals(steps, self.gamma, rng)
        random, other = rng.integers(len(store.obs), size=(2, len(steps)))
        goal = np.where(rng.random(len(steps)) < self.random_goals, random, future)
        batch = GoalBatch(
            *store.transitions(steps),
            goal=torch.from_numpy(store.obs[goal]).float(),
            at_goal=torch.from_numpy(goal == at),
            reached=torch.from_numpy(goal == at + 1),
            other=torch.from_numpy(store.obs[other]).float(),
        )
        return Batch(batch._asdict()), steps


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
