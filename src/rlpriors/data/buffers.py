"""Tianshou replay buffers, in and out.

`to_buffer`               replay buffer of an `EpisodeStore`, to train on without an environment
`from_buffer`             `EpisodeStore` of a replay buffer
`FastReplayBuffer`        replay buffer that checks new transitions for NaN, instead of all transitions
`FastVectorReplayBuffer`  replay buffer of several environments with this check
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer
from tianshou.data.types import RolloutBatchProtocol

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.spaces.actions import check_action_spaces

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

    obs_layout: ObservationLayout | None = None
    """Leaves that plain observations consist of, if the buffer was made of a store that records them."""
    env_actions: bool = False
    """True if the buffer was made of a store: its actions are in units of the environment."""
    action_space: gym.Space[Any] | None = None
    """Action space of the store that the buffer was made of, if known."""


class FastVectorReplayBuffer(_IncrementalNullCheck, VectorReplayBuffer):
    """`VectorReplayBuffer` with a fast `hasnull`; see `FastReplayBuffer`.

    Example:
        >>> FastVectorReplayBuffer(total_size=100, buffer_num=4).hasnull()
        False
    """


@check_arguments
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
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be in 0..2**32 - 1. Received {seed}.")
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
    if store.obs_layout is not None:
        buffer.obs_layout = store.obs_layout
    buffer.env_actions, buffer.action_space = True, store.action_space
    return buffer


@partial(check_arguments, skip=("buffer",))  # the function's own check names `to_buffer`
def from_buffer(
    buffer: ReplayBuffer,
    obs_keys: Sequence[str] | None = None,
    *,
    policy: Policy | None = None,
    map_action: Callable[[np.ndarray], np.ndarray] | None = None,
    action_space: gym.Space[Any] | None = None,
) -> EpisodeStore:
    """Return the steps of `buffer`, oldest first, as episodes with actions in units of the environment.

    A collector stores actions in units of its policy, before they are scaled or clipped for the environment.
    One of `policy`, `map_action` and `action_space` must therefore state the units of floating-point actions.
    A buffer of `to_buffer` and integer actions need none.

    An episode ends at a step that is done, at the end of its sub-buffer, and where the next observation does
    not follow (the collector was reset).

    Args:
        buffer: a replay buffer that a collector filled.
        obs_keys: leaves of Dict observations (`select_observation`).
        policy: the policy whose collector filled the buffer.  Its `map_action` converts the stored actions to
            the executed ones, and its action space becomes that of the store.
        map_action: a function that converts stored actions to executed ones, in place of `policy`.
        action_space: action space of the environment.  Without `policy` and `map_action`, the stored actions
            are already in its units.

    Raises:
        ValueError: the buffer is empty, stacks frames, or does not store `obs_next`, the units of its actions
            are not stated, or an executed action lies outside the action space.
    """
    if isinstance(buffer, EpisodeStore):
        raise TypeError("`buffer` must be a ReplayBuffer. Received an EpisodeStore; use it directly.")
    if not isinstance(buffer, ReplayBuffer):
        raise TypeError(
            f"`buffer` must be a ReplayBuffer. Received an object of class {type(buffer).__name__}."
        )
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
    act, space = _env_actions(buffer, batch.act, policy, map_action, action_space)
    layout = buffer_layout(buffer, obs_keys)
    return EpisodeStore(all_obs, act, batch.rew, batch.terminated, batch.truncated, lengths, layout, space)


def _env_actions(
    buffer: ReplayBuffer,
    act: np.ndarray,
    policy: Policy | None,
    map_action: Callable[[np.ndarray], np.ndarray] | None,
    space: gym.Space[Any] | None,
) -> tuple[np.ndarray, gym.Space[Any] | None]:
    """Return the executed actions and their space."""
    if policy is not None:
        if map_action is not None:
            raise ValueError("`map_action` must be None with a `policy`, which has its own. Received both.")
        check_action_spaces("`policy`", policy.action_space, "`action_space`", space)
        clips = policy.action_bound_method == "clip" and not policy.action_scaling
        if clips and act.dtype.kind == "f" and np.abs(act).max() > 1:
            raise ValueError(
                f"`policy` must scale its actions to {policy.action_space}, or leave them unchanged. "
                f"Received a {type(policy).__name__}, which clips actions to -1..1, and actions up to "
                f"{np.abs(act).max()}; collect random actions with `rlpriors.agents.RandomPolicy`."
            )
        return policy.map_action(act), policy.action_space
    if map_action is not None:
        return map_action(act), space
    if getattr(buffer, "env_actions", False):
        made_of = getattr(buffer, "action_space", None)
        check_action_spaces("`buffer`", made_of, "`action_space`", space)
        return act, space if made_of is None else made_of
    if space is None and act.dtype.kind == "f":
        raise ValueError(
            "The units of the actions in `buffer` must be stated: a collector stores them in units of its "
            f"policy, not of the environment. Received a {type(buffer).__name__} without them; call "
            "`from_buffer(buffer, policy=policy)` with the policy that filled it, or "
            "`from_buffer(buffer, action_space=space)` if they are in units of the environment. Algorithms "
            "take `to_buffer` of the result."
        )
    return act, space


def buffer_layout(buffer: ReplayBuffer, obs_keys: Sequence[str] | None = None) -> ObservationLayout | None:
    """Return the layout of the observations that `from_buffer` reads; None if unknown."""
    obs = buffer.obs
    if isinstance(obs, Batch):
        return ObservationLayout.of(obs.to_dict(), obs_keys, batch_dims=1)
    return getattr(buffer, "obs_layout", None)


def _observation(part: Any, keys: Sequence[str] | None) -> np.ndarray:
    return select_observation(part.to_dict() if isinstance(part, Batch) else part, keys, batch_dims=1)


def _has_nan(part: Any) -> bool:
    if isinstance(part, Batch):
        return any(_has_nan(leaf) for leaf in part.to_dict(recursive=False).values())
    array = np.asarray(part)
    return array.dtype.kind == "f" and bool(np.isnan(array).any())
