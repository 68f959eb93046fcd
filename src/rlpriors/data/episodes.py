"""Whole episodes, and what is cut out of them.

`Episode`       one episode as an environment gave it
`EpisodeStore`  many episodes end to end: transitions, windows, pairs, goals, new rewards

How they lie in flat arrays is said in `episode_columns`.  Nothing is copied until it is asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from rlpriors.data.episode_arrays import Episode, EpisodeColumns, join_episodes, read_columns
from rlpriors.data.validation import at_least_one
from rlpriors.device import resolve_device
from rlpriors.types import RewardFn, Transition, Window

__all__ = ["Episode", "EpisodeStore"]


class EpisodeStore(EpisodeColumns):
    """Episodes end to end in flat arrays.

    Floating-point arrays are kept as float32, integer actions as int64, integer observations
    (images) as they are.  Tensors given out are float32 on the CPU; in them a scalar observation
    or action (Discrete) is a column of one.

    Raises:
        ValueError: lengths or shapes disagree, an episode is empty, or a number is NaN or infinite.

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
        cls, episodes: Iterable[Episode], obs_keys: Sequence[str] | None = None
    ) -> "EpisodeStore":
        """Join episodes; `obs_keys` selects leaves of dictionary observations (`select_observation`)."""
        return cls(**join_episodes(episodes, obs_keys))

    @classmethod
    def load(cls, path: str | Path) -> "EpisodeStore":
        """Read what `save` wrote, and check it as everything that comes in is checked.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, holds something else, or its arrays disagree.
        """
        return cls(**read_columns(path))

    def subset(self, indices: Sequence[int] | Shaped[np.ndarray, " n"]) -> "EpisodeStore":
        """A store of the chosen episodes, in the order of `indices` (numbers, or one boolean each)."""
        chosen = self._episode_indices(indices)
        lengths, first = self.lengths[chosen], self.step_starts[chosen]
        steps, frames = _ranges(first, lengths), _ranges(first + chosen, lengths + 1)
        rest = (self.act[steps], self.rew[steps], self.terminated[steps], self.truncated[steps])
        return EpisodeStore(self.obs[frames], *rest, lengths)

    def transitions(self, steps: Int[np.ndarray, " n"] | None = None) -> Transition:
        """The transitions at `steps`; all of them without it."""
        steps = np.arange(self.n_steps) if steps is None else self._steps("steps", steps)
        at = self.obs_index(steps)
        terminated = torch.from_numpy(self.terminated[steps])
        return Transition(_rows(self.obs[at]), _rows(self.act[steps]), _rows(self.obs[at + 1]), terminated)

    def window_starts(
        self, horizon: int, stride: int = 1, *, pad: bool = False, max_start: int | None = None
    ) -> Int[np.ndarray, " n"]:
        """Steps at which a window of `horizon` frames, `stride` steps apart, may start.

        Without `pad` these are the windows that lie wholly inside an episode of T steps, those
        with `time + horizon * stride <= T`; with it, every step is one.  `max_start` keeps only
        windows that start in the first `max_start` steps of their episode.

        Raises:
            ValueError: no window fits.
        """
        at_least_one(horizon=horizon, stride=stride)
        if max_start is not None:
            at_least_one(max_start=max_start)
        time = np.arange(self.n_steps) - self.step_starts[self.episode_of]
        keep = pad | (time + horizon * stride <= self.lengths[self.episode_of])
        if not keep.any():
            raise ValueError(
                f"No window fits: `horizon` {horizon} frames of `stride` {stride} steps need episodes of "
                f"{horizon * stride} steps. Received episodes of at most {self.lengths.max()} steps; take "
                "a shorter horizon or stride, or pad=True."
            )
        return np.flatnonzero(keep if max_start is None else keep & (time < max_start))

    def windows(self, starts: Int[np.ndarray, " n"], horizon: int, stride: int = 1) -> Window:
        """The windows at `starts`: frame i shows the observation at `start + i * stride`.

        Its action is the mean over the frame's `stride` steps (those inside the episode).  Beyond
        the episode's end the mask is False and the last observation and action are repeated.
        Observations and actions of any shape are flattened.

        Raises:
            ValueError: a start is no step, or integer actions (Discrete) would have to be averaged.
        """
        at_least_one(horizon=horizon, stride=stride)
        if stride > 1 and self.act.dtype.kind != "f":
            raise ValueError(
                f"`stride` must be 1 for integer actions, which have no mean. Received {stride}; use "
                "every step."
            )
        starts = self._steps("starts", starts)
        episode = self.episode_of[starts][:, None]
        end = self.step_starts[episode] + self.lengths[episode]
        steps = starts[:, None] + stride * np.arange(horizon)  # (n, horizon)
        obs = self.obs[np.minimum(steps, end) + episode]
        mask = steps < end
        steps = np.minimum(steps, end - 1)
        act = self.act[steps]
        if stride > 1:
            each = steps[:, :, None] + np.arange(stride)  # (n, horizon, stride)
            inside = each < end[:, :, None]
            values = self.act[np.minimum(each, end[:, :, None] - 1)].reshape(*each.shape, -1)
            act = np.einsum("nhsa,nhs->nha", values, inside / inside.sum(-1, keepdims=True, dtype=np.float32))
        return Window(_rows(obs, 2), _rows(act, 2), torch.from_numpy(mask))

    def offset_pairs(
        self, n: int, offset: int | tuple[int, int], rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Draw `n` pairs of observations of one episode, the second `offset` steps after the first.

        A pair (low, high) draws the offset evenly from low..high, cut at the episode's end.
        Returns observation indices.

        Raises:
            ValueError: no episode is long enough for the (smallest) offset.
        """
        at_least_one(n=n)
        low, high = (offset, offset) if isinstance(offset, int) else offset
        if not 0 <= low <= high:
            raise ValueError(f"`offset` must be at least 0, and low <= high. Received {offset}.")
        choices = np.maximum(self.lengths + 1 - low, 0)  # first observations that leave room for `low`
        if not choices.any():
            raise ValueError(
                f"`offset` must be at most {self.lengths.max()}, the steps of the longest episode. "
                f"Received {offset}."
            )
        ends = np.cumsum(choices)
        drawn = rng.integers(ends[-1], size=n)
        episode = np.searchsorted(ends, drawn, side="right")
        time = drawn - (ends - choices)[episode]
        reach = np.minimum(high, self.lengths[episode] - time)
        first = self.step_starts[episode] + episode + time
        return first, first + rng.integers(low, reach, endpoint=True)

    def future_goals(
        self, steps: Int[np.ndarray, " n"], gamma: float, rng: np.random.Generator
    ) -> Int[np.ndarray, " n"]:
        """Draw a later observation of the same episode for each step; returns observation indices.

        The k-th observation after the step comes with probability proportional to `gamma**(k-1)`:
        the discounted occupancy of contrastive RL (arXiv 2206.07568, eq. 2), cut at the episode's
        end.  `gamma` 0 is the next observation, 1 the even draw of hindsight replay's "future"
        goals (arXiv 1707.01495, section 4.5).
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

    def relabel(
        self, reward: RewardFn, batch_size: int = 65536, device: str | torch.device | None = None
    ) -> "EpisodeStore":
        """The same experience with the rewards that `reward` gives it; arrays are shared.

        `device` is where the reward computes: by default a model's own, else the CPU.

        Raises:
            ValueError: `reward` returns something else than one finite number a transition.
        """
        at_least_one(batch_size=batch_size)
        to = resolve_device(getattr(reward, "device", "cpu") if device is None else device)
        rew = np.empty(self.n_steps, np.float32)
        for first in range(0, self.n_steps, batch_size):
            steps = np.arange(first, min(first + batch_size, self.n_steps))
            with torch.no_grad():
                given = reward(*(part.to(to) for part in self.transitions(steps)))
            if given.shape != steps.shape:
                raise ValueError(
                    f"`reward` must return one number a transition, shape ({len(steps)},). Received "
                    f"{tuple(given.shape)}."
                )
            rew[steps] = given.float().cpu().numpy()
        return replace(self, rew=rew)


def _ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """first[0], first[0] + 1, ... (lengths[0] of them), then those from first[1], and so on."""
    return np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _rows(array: np.ndarray, batch_dims: int = 1) -> Tensor:
    """A float32 tensor with at least one dimension behind the batch; exactly one for windows."""
    if batch_dims == 2 or array.ndim == 1:
        array = array.reshape(*array.shape[:batch_dims], -1)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
