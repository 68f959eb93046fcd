"""Training windows of score policies: past and future actions, past observations, a goal.

`HistoryBatch`   windows with goals
`HistoryBuffer`  replay buffer that samples them from an `EpisodeStore`
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from tianshou.data import Batch, ReplayBuffer
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore

__all__ = ["HistoryBatch", "HistoryBuffer"]


class HistoryBatch(NamedTuple):
    """Windows around a current time step, as tensors in raw units, oldest time step first."""

    obs: Float[Tensor, "batch past obs"]
    """Observations up to the current one."""
    act: Float[Tensor, "batch rows act"]
    """Past actions, then the current and future ones."""
    valid: Bool[Tensor, "batch rows"]
    """True for time steps of the episode; others repeat the first or last one."""
    goal: Float[Tensor, "batch obs"]
    """Observation of the episode after the current time step."""


class HistoryBuffer(ReplayBuffer):
    """Replay buffer that samples windows of a store around any time step, with goals in hindsight.

    Windows never cross the bounds of an episode.  A sample depends on `seed` and `draws` only, so a resumed
    run draws the same batches as an uninterrupted run.

    Args:
        store: episodes.
        history: number of past time steps.
        horizon: number of actions from the current time step on.
        gamma: discount factor of goals, as in `EpisodeStore.future_goals`.
        seed: random seed of the samples.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(4.0)[:, None], np.arange(3.0)[:, None], *np.zeros((3, 3)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> batch, steps = HistoryBuffer(store, history=1, horizon=2, gamma=0.0, seed=0).sample(None)
        >>> batch.act[..., 0].tolist(), batch.valid.tolist()[0]
        ([[0.0, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 2.0, 2.0]], [False, True, True])
    """

    def __init__(self, store: EpisodeStore, history: int, horizon: int, gamma: float, seed: int) -> None:
        super().__init__(size=1)
        self.store, self.gamma, self.seed = store, gamma, seed
        self.offsets = np.arange(-history, horizon)
        self.n_past = history + 1
        self.draws = 0

    def __len__(self) -> int:
        return self.store.n_steps

    # Any, because Tianshou's batch protocol requires single transitions.
    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample time steps with replacement; return all of them, in order, for None or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        store = self.store
        steps = rng.integers(store.n_steps, size=batch_size) if batch_size else np.arange(store.n_steps)
        goal = store.future_goals(steps, self.gamma, rng)
        episode = store.episode_of[steps][:, None]
        first = store.step_starts[episode]
        last = first + store.lengths[episode] - 1
        rows = steps[:, None] + self.offsets
        inside = np.clip(rows, first, last)
        batch = HistoryBatch(
            obs=_floats(store.obs[inside[:, : self.n_past] + episode], 2),
            act=_floats(store.act[inside], 2),
            valid=torch.from_numpy((rows >= first) & (rows <= last)),
            goal=_floats(store.obs[goal], 1),
        )
        return Batch(batch._asdict()), steps


def _floats(array: np.ndarray, batch_dims: int) -> Tensor:
    flat = array.reshape(*array.shape[:batch_dims], -1)
    return torch.from_numpy(np.ascontiguousarray(flat, np.float32))
