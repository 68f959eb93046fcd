"""Tianshou replay buffers, in and out.

`to_buffer`               replay buffer of an `EpisodeStore`, to train on without an environment
`from_buffer`             `EpisodeStore` of a replay buffer
`FastReplayBuffer`        replay buffer that checks new transitions for NaN, instead of all transitions
`FastVectorReplayBuffer`  replay buffer of several environments with this check
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer
from tianshou.data.types import RolloutBatchProtocol

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observations import select_observation

__all__ = ["FastReplayBuffer", "FastVectorReplayBuffer", "from_buffer", "to_buffer"]


class _IncrementalNullCheck(ReplayBuffer):
    # Tianshou's trainer calls `hasnull` after every collection, which scans the whole buffer: 1.1 s for a
    # million transitions (thu-ml/tianshou#1265).
    _null_came_in = False

    def add(
        self, batch: Any, buffer_ids: np.ndarray | list[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        self._null_came_in |= any(_has_nan(batch.get(key)) for key in ("obs", "act", "rew", "obs_next"))
        return super().add(batch, buffer_ids)

    def update(self, buffer: ReplayBuffer) -> np.ndarray:
        self._null_came_in |= len(buffer) > 0 and buffer.hasnull()
        return super().update(buffer)

    def hasnull(self) -> bool:
        return bool(self._null_came_in)  # a numpy boolean after `load_hdf5`

    def dropnull(self) -> None:
        super().dropnull()
        self._null_came_in = False

    def reset(self, keep_statistics: bool = False) -> None:
        super().reset(keep_statistics)
        self._null_came_in = False


class FastReplayBuffer(_IncrementalNullCheck):
    """`ReplayBuffer` with a fast `hasnull`: each transition is checked for NaN when it is added.

    Observations, actions and rewards are checked; infos and policy outputs are not.

    Example:
        >>> buffer = FastReplayBuffer(10)
        >>> step = dict(obs=np.zeros(2), act=0, obs_next=np.zeros(2), terminated=False, truncated=False)
        >>> _ = buffer.add(Batch(rew=1.0, **step))
        >>> buffer.hasnull()
        False
        >>> _ = buffer.add(Batch(rew=float("nan"), **step))
        >>> buffer.hasnull()
        True
    """


class FastVectorReplayBuffer(_IncrementalNullCheck, VectorReplayBuffer):
    """`VectorReplayBuffer` with a fast `hasnull`; see `FastReplayBuffer`.

    Example:
        >>> FastVectorReplayBuffer(total_size=100, buffer_num=4).hasnull()
        False
    """


def to_buffer(store: EpisodeStore, seed: int = 42) -> FastReplayBuffer:
    """Return a full buffer with the steps of `store`, with `obs_next`.

    An episode that neither terminated nor was truncated gets `truncated` at its last step, so that no
    return is summed across episodes.  `seed` is the seed of the buffer's sampling.

    Example:
        >>> store = EpisodeStore(
        ...     obs=np.zeros((4, 2)), act=np.zeros((3, 1)), rew=np.ones(3),
        ...     terminated=np.zeros(3, bool), truncated=np.zeros(3, bool), lengths=np.array([3]))
        >>> to_buffer(store).done
        array([False, False,  True])
    """
    steps = np.arange(store.n_steps)
    at = store.obs_index(steps)
    truncated = store.truncated.copy()
    last = store.step_starts + store.lengths - 1
    truncated[last] |= ~store.terminated[last]
    batch = Batch(
        obs=store.obs[at],
        act=store.act.copy(),
        rew=store.rew.astype(np.float64),  # the dtype of a collector, so that numba's functions compile once
        terminated=store.terminated.copy(),
        truncated=truncated,
        done=store.terminated | truncated,
        obs_next=store.obs[at + 1],
    )
    buffer = FastReplayBuffer(store.n_steps, random_seed=seed)
    buffer.set_batch(cast(RolloutBatchProtocol, batch))
    buffer._size = store.n_steps
    # Tianshou's own `from_data` leaves this at 0, and then `next(0)` is 0: an episode cut at its first step.
    buffer.last_index[0] = store.n_steps - 1
    return buffer


def from_buffer(
    buffer: ReplayBuffer,
    obs_keys: Sequence[str] | None = None,
    *,
    map_action: Callable[[np.ndarray], np.ndarray] | None = None,
) -> EpisodeStore:
    """Return the steps of `buffer`, oldest first, as episodes.

    An episode ends at a step that is done, at the end of its sub-buffer, and where the next observation does
    not follow (the collector was reset).

    Args:
        buffer: a replay buffer that a collector filled.
        obs_keys: leaves of Dict observations (`select_observation`).
        map_action: the method of the policy that filled the buffer.  A collector stores the actions of the
            policy before they are scaled or clipped for the environment; `map_action` converts them to the
            executed actions.  Without it, the stored actions are used.

    Raises:
        ValueError: the buffer is empty, stacks frames, or does not store `obs_next`.
    """
    if not len(buffer):
        raise ValueError("`buffer` must hold at least one step. Received an empty buffer; collect first.")
    if buffer.options["ignore_obs_next"] or buffer.stack_num > 1:
        raise ValueError(
            "`buffer` must store `obs_next` and single frames. Received a buffer with ignore_obs_next="
            f"{buffer.options['ignore_obs_next']} and stack_num={buffer.stack_num}; stack frames in the "
            "environment."
        )
    indices = buffer.sample_indices(0)  # 0 means all, oldest first in each sub-buffer
    batch: Any = buffer[indices]
    obs, obs_next = (_observation(part, obs_keys) for part in (batch.obs, batch.obs_next))
    subbuffer = np.searchsorted(buffer.subbuffer_edges, indices, side="right")
    follows = (obs[1:] == obs_next[:-1]).all(axis=tuple(range(1, obs.ndim)))
    ends = np.append(batch.done[:-1] | (subbuffer[1:] != subbuffer[:-1]) | ~follows, True)
    number = np.cumsum(ends) - ends  # the episode of each step
    all_obs = np.empty((len(obs) + ends.sum(), *obs.shape[1:]), obs.dtype)
    all_obs[np.arange(len(obs)) + number] = obs
    all_obs[(np.arange(len(obs)) + number + 1)[ends]] = obs_next[ends]
    lengths = np.bincount(number)
    act = batch.act if map_action is None else map_action(batch.act)
    return EpisodeStore(all_obs, act, batch.rew, batch.terminated, batch.truncated, lengths)


def _observation(part: Any, keys: Sequence[str] | None) -> np.ndarray:
    return select_observation(part.to_dict() if isinstance(part, Batch) else part, keys, batch_dims=1)


def _has_nan(part: Any) -> bool:
    if isinstance(part, Batch):
        return any(_has_nan(leaf) for leaf in part.to_dict(recursive=False).values())
    array = np.asarray(part)
    return array.dtype.kind == "f" and bool(np.isnan(array).any())
