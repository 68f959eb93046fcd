"""Data set of whole episodes.

`Episode`       one episode of an environment
`EpisodeStore`  many episodes: transitions, windows, pairs, goals, new rewards

`episode_arrays` explains the flat arrays.  Data are copied when a method returns them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.data.episode_arrays import Episode, EpisodeArrays, join_episodes, ranges
from rlpriors.data.episode_files import load_episode_arrays
from rlpriors.data.flat_columns import split_transitions
from rlpriors.data.observation_layout import check_reward
from rlpriors.data.validation import check_at_least_one
from rlpriors.device import resolve_device
from rlpriors.types import RewardFn, Transition, Window

__all__ = ["LARGEST_BATCH", "Episode", "EpisodeStore"]

LARGEST_BATCH = 2**26
"""Largest number of entries in the observations that are scored at once: a quarter of a gigabyte."""


class EpisodeStore(EpisodeArrays):
    """Data set of episodes, end to end in flat arrays.

    Floating-point arrays are stored as float32, integer actions as int64, and integer observations (images)
    unchanged.  Returned tensors are float32 on the CPU, with a scalar observation or action (Discrete) as a
    column of size one.

    Raises:
        ValueError: lengths or shapes disagree, an episode is empty or ends before its last step, or a number
            is NaN or infinite.

    Example:
        >>> episode = Episode(
        ...     obs=np.arange(5.0)[:, None], act=np.ones((4, 1)), rew=np.zeros(4),
        ...     terminated=np.zeros(4, bool), truncated=np.array([0, 0, 0, 1], bool))
        >>> store = EpisodeStore.from_episodes([episode, episode])
        >>> store
        EpisodeStore(2 episodes, 8 steps, obs (1,) float32, act (1,) float32)
        >>> starts = store.window_starts(horizon=2, stride=2)
        >>> store.windows(starts, horizon=2, stride=2).obs[:, :, 0]
        tensor([[0., 2.],
                [0., 2.]])
    """

    @classmethod
    def from_episodes(
        cls,
        episodes: Iterable[Episode],
        obs_keys: Sequence[str] | None = None,
        action_space: gym.Space[Any] | None = None,
    ) -> "EpisodeStore":
        """Return a store of `episodes`; `obs_keys` selects leaves of Dict observations.

        `action_space` is that of the environment: actions are checked against it, and a policy that
        learns from the store must have the same one.
        """
        return cls(**join_episodes(episodes, obs_keys), action_space=action_space)

    @classmethod
    def from_transitions(
        cls,
        obs: Any,
        act: Any,
        rew: Any,
        terminated: Any,
        truncated: Any | None = None,
        next_obs: Any | None = None,
        *,
        obs_keys: Sequence[str] | None = None,
        action_space: gym.Space[Any] | None = None,
    ) -> "EpisodeStore":
        """Return a store of flat columns, as D4RL's files have; `split_transitions` documents them."""
        columns = split_transitions(obs, act, rew, terminated, truncated, next_obs, obs_keys)
        return cls(**columns, action_space=action_space)

    @classmethod
    def load(cls, path: str | Path) -> "EpisodeStore":
        """Return the store that `save` wrote, with the checks of the constructor.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, holds something else, or its arrays disagree.
        """
        arrays = load_episode_arrays(path)
        try:
            return cls(**arrays)
        except ValueError as error:
            raise ValueError(f"{path} must be a file of valid episodes. {error}") from error

    def subset(self, indices: Sequence[int] | Shaped[np.ndarray, " n"]) -> "EpisodeStore":
        """Return a store of the episodes at `indices`, in their order (numbers, or one boolean each)."""
        chosen = self._episode_indices(indices)
        lengths, first = self.lengths[chosen], self.step_starts[chosen]
        steps, observations = ranges(first, lengths), ranges(first + chosen, lengths + 1)
        rest = (self.act[steps], self.rew[steps], self.terminated[steps], self.truncated[steps])
        return EpisodeStore(self.obs[observations], *rest, lengths, self.obs_layout, self.action_space)

    def transitions(self, steps: Int[np.ndarray, " n"] | None = None) -> Transition:
        """Return the transitions at `steps`, or all transitions."""
        steps = np.arange(self.n_steps) if steps is None else self._steps("steps", steps)
        at = self.obs_index(steps)
        terminated = torch.from_numpy(self.terminated[steps])
        return Transition(_rows(self.obs[at]), _rows(self.act[steps]), _rows(self.obs[at + 1]), terminated)

    @check_arguments
    def window_starts(
        self,
        horizon: int,
        stride: int = 1,
        *,
        pad: bool = False,
        max_start: int | None = None,
        absorbing: bool = False,
    ) -> Int[np.ndarray, " n"]:
        """Return the steps at which a window of `horizon` rows, `stride` steps apart, can start.

        Without `pad`, these are the windows inside an episode of T steps: `time + horizon * stride <= T`.
        With `pad`, each step is a start.  With `absorbing`, each step of an episode that terminated is a
        start: its windows continue in the terminal state.  `max_start` limits the starts to the first steps
        of each episode.

        Raises:
            ValueError: no window fits.
        """
        check_at_least_one(horizon=horizon, stride=stride)
        if max_start is not None:
            check_at_least_one(max_start=max_start)
        time = np.arange(self.n_steps) - self.step_starts[self.episode_of]
        keep = pad | (time + horizon * stride <= self.lengths[self.episode_of])
        if absorbing:
            keep |= self.terminated[self.step_starts + self.lengths - 1][self.episode_of]
        if not keep.any():
            raise ValueError(
                f"`horizon` {horizon} with `stride` {stride} must fit into an episode: it needs "
                f"{horizon * stride} steps. Received episodes of at most {self.lengths.max()} steps; use a "
                "smaller horizon or stride, or pad=True."
            )
        return np.flatnonzero(keep if max_start is None else keep & (time < max_start))

    @check_arguments
    def windows(self, starts: Int[np.ndarray, " n"], horizon: int, stride: int = 1) -> Window:
        """Return the windows at `starts`; row i has the observation at `start + i * stride`.

        The action of a row is the mean over its `stride` steps (those inside the episode).  Beyond the
        episode's end the mask is False, and the last observation and action are repeated.  `terminated` is
        True at the row that contains a terminal step.  Observations and actions of any shape are flattened.

        Raises:
            ValueError: a start is not a step, or integer actions (Discrete) would have to be averaged.
        """
        check_at_least_one(horizon=horizon, stride=stride)
        if max(horizon, stride) > 10**6:
            raise ValueError(
                f"`horizon` and `stride` must be at most 10**6. Received {horizon} and {stride}."
            )
        if stride > 1 and self.act.dtype.kind != "f":
            raise ValueError(
                f"`stride` must be 1 for integer actions, which have no mean. Received {stride}; for longer "
                "time steps record the data in an environment that repeats actions."
            )
        starts = self._steps("starts", starts)
        episode = self.episode_of[starts][:, None]
        end = self.step_starts[episode] + self.lengths[episode]
        steps = starts[:, None] + stride * np.arange(horizon)  # (n, horizon)
        obs = self.obs[np.minimum(steps, end) + episode]
        mask = steps < end
        last = end - 1
        terminated = mask & (steps + stride > last) & self.terminated[last]
        steps = np.minimum(steps, last)
        act = self.act[steps]
        if stride > 1:
            each = steps[:, :, None] + np.arange(stride)  # (n, horizon, stride)
            inside = each < end[:, :, None]
            values = self.act[np.minimum(each, end[:, :, None] - 1)].reshape(*each.shape, -1)
            act = np.einsum("nhsa,nhs->nha", values, inside / inside.sum(-1, keepdims=True, dtype=np.float32))
        return Window(_rows(obs, 2), _rows(act, 2), torch.from_numpy(mask), torch.from_numpy(terminated))

    @check_arguments
    def offset_pairs(
        self, n: int, offset: int | tuple[int, int], rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Draw `n` pairs of observations of the same episode, the second `offset` steps after the first.

        With `offset` (low, high), the offset is uniform in low..high, cut at the episode's end.  Returns
        observation indices.

        Raises:
            ValueError: no episode is long enough for the (smallest) offset.
        """
        check_at_least_one(n=n)
        low, high = (offset, offset) if isinstance(offset, int) else offset
        if not 0 <= low <= high:
            raise ValueError(f"`offset` must be at least 0, and low <= high. Received {offset}.")
        choices = np.maximum(self.lengths + 1 - low, 0)  # first observations that leave room for `low`
        if not choices.any():
            raise ValueError(
                f"`offset` must be at most {self.lengths.max()}, the length of the longest episode. "
                f"Received {offset}."
            )
        ends = np.cumsum(choices)
        drawn = rng.integers(ends[-1], size=n)
        episode = np.searchsorted(ends, drawn, side="right")
        time = drawn - (ends - choices)[episode]
        reach = np.minimum(high, self.lengths[episode] - time)
        first = self.step_starts[episode] + episode + time
        return first, first + rng.integers(low, reach, endpoint=True)

    @check_arguments
    def future_goals(
        self, steps: Int[np.ndarray, " n"], gamma: float, rng: np.random.Generator
    ) -> Int[np.ndarray, " n"]:
        """Draw a later observation of the same episode for each step; returns observation indices.

        The k-th observation after the step has a probability proportional to `gamma**(k-1)`: the discounted
        occupancy of contrastive RL (arXiv 2206.07568, eq. 2), cut at the episode's end.  `gamma` 0 is the
        next observation; 1 is the uniform distribution of the "future" goals of hindsight replay (arXiv
        1707.01495, section 4.5).
        """
        if not 0 <= gamma <= 1:
            raise ValueError(f"`gamma` should be in the interval [0, 1]. Received {gamma}.")
        steps = self._steps("steps", steps)
        episode = self.episode_of[steps]
        left = self.step_starts[episode] + self.lengths[episode] - steps  # later observations, >= 1
        u = rng.random(len(steps))
        if gamma in (0, 1):
            k = 1 + np.floor(u * left * gamma)
        else:  # invert the cumulative (1 - gamma**k) / (1 - gamma**left)
            k = np.ceil(np.log1p(u * np.expm1(left * np.log(gamma))) / np.log(gamma))
        return np.asarray(steps + episode + np.clip(k, 1, left).astype(np.int64))

    @check_arguments
    def relabel(
        self, reward: RewardFn, batch_size: int = 65536, device: str | torch.device | None = None
    ) -> "EpisodeStore":
        """Return a store with the rewards of `reward` that shares the other arrays.

        Batches of large observations, such as images, hold fewer transitions than `batch_size`.

        `device` is the device of the computation; by default the device of a model, else the CPU.

        Raises:
            ValueError: `reward` does not return one finite number for each transition, or it reads other
                leaves, another order or another number of entries of the observation.
        """
        check_at_least_one(batch_size=batch_size)
        check_reward(reward, self.obs_layout, self.obs.shape[1:])
        to = resolve_device(getattr(reward, "device", "cpu") if device is None else device)
        batch_size = min(batch_size, max(1, LARGEST_BATCH // max(1, prod(self.obs.shape[1:]))))
        rew = np.empty(self.n_steps, np.float32)
        for first in range(0, self.n_steps, batch_size):
            steps = np.arange(first, min(first + batch_size, self.n_steps))
            with torch.no_grad():
                values = reward(*(tensor.to(to) for tensor in self.transitions(steps)))
            if not isinstance(values, Tensor) or values.shape != steps.shape:
                shape = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise ValueError(
                    f"`reward` must return one number for each transition, shape ({len(steps)},). Received "
                    f"{shape}."
                )
            rew[steps] = values.float().cpu().numpy()
        try:
            return replace(self, rew=rew)
        except ValueError as error:
            raise ValueError(f"`reward` must return finite numbers. {error}") from error


def _rows(array: np.ndarray, batch_dims: int = 1) -> Tensor:
    """Return a float32 tensor with at least one dimension after the batch; exactly one for windows."""
    if batch_dims == 2 or array.ndim == 1:
        array = array.reshape(*array.shape[:batch_dims], -1)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
