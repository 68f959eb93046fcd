"""Whole episodes in flat arrays, and what is cut out of them.

`Episode`       one episode as an environment gave it
`EpisodeStore`  many episodes end to end: transitions, windows, pairs, goals, new rewards

A *step* indexes actions and rewards; an *observation index* indexes observations.  An episode of
T steps has T + 1 observations, so the observation before step `s` of episode `e` stands at
`s + e`, and the one after it right behind.  Nothing is copied until it is asked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from rlpriors.data.files import read_arrays, write_arrays
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_numbers, at_least_one, check_columns, within
from rlpriors.device import resolve_device
from rlpriors.types import RewardFn, Transition, Window

__all__ = ["Episode", "EpisodeStore"]

_COLUMNS = ("obs", "act", "rew", "terminated", "truncated", "lengths")


class Episode(NamedTuple):
    """One episode of T steps, in raw units."""

    obs: Any
    """An array [T + 1, ...] or a (nested) dictionary of such; the last row follows the last step."""
    act: np.ndarray
    rew: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    seed: int | None = None
    """What the environment was reset with."""


@dataclass(frozen=True, eq=False, repr=False)
class EpisodeStore:
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

    obs: Shaped[np.ndarray, "frames *obs"]
    """Each episode's T + 1 observations, end to end."""
    act: Shaped[np.ndarray, "steps *act"]
    rew: Float[np.ndarray, " steps"]
    terminated: Bool[np.ndarray, " steps"]
    truncated: Bool[np.ndarray, " steps"]
    lengths: Int[np.ndarray, " episodes"]
    """Number of steps T of each episode."""

    def __post_init__(self) -> None:
        """Settle number types, then check everything once."""
        settled = {
            "obs": as_numbers("obs", self.obs),
            "act": as_numbers("act", self.act, integers=np.int64),
            "rew": as_numbers("rew", self.rew, integers=np.float32),
            "terminated": np.asarray(self.terminated, np.bool_),
            "truncated": np.asarray(self.truncated, np.bool_),
            "lengths": np.asarray(self.lengths, np.int64),
        }
        for name, array in settled.items():
            object.__setattr__(self, name, array)
        check_columns(**settled)

    @classmethod
    def from_episodes(
        cls, episodes: Iterable[Episode], obs_keys: Sequence[str] | None = None
    ) -> "EpisodeStore":
        """Join episodes; `obs_keys` selects leaves of dictionary observations (`select_observation`)."""
        columns: tuple[list[np.ndarray], ...] = ([], [], [], [], [])
        for number, episode in enumerate(episodes):
            obs = as_numbers("obs", select_observation(episode.obs, obs_keys, batch_dims=1))
            act = as_numbers("act", episode.act, integers=np.int64)
            rew = as_numbers("rew", episode.rew, integers=np.float32)
            parts = (obs, act, rew, *(np.asarray(part, np.bool_) for part in episode[3:5]))
            steps = len(rew) if rew.ndim else 0
            if (
                steps < 1
                or [part.shape[:1] for part in parts] != [(steps + 1,)] + [(steps,)] * 4
                or any(part.ndim > 1 for part in parts[2:])
            ):
                raise ValueError(
                    "An episode must have T >= 1 actions, rewards, terminations and truncations, and T + 1 "
                    "observations, with the one after the last step. Received shapes "
                    f"{dict(zip(Episode._fields, (part.shape for part in parts), strict=False))} in episode "
                    f"{number}; leave empty episodes out."
                )
            for name, part, column in zip(("obs", "act"), parts, columns, strict=False):
                if column and part.shape[1:] != column[0].shape[1:]:
                    raise ValueError(
                        f"All episodes must have `{name}` of one shape, {column[0].shape[1:]} as in episode "
                        f"0. Received {part.shape[1:]} in episode {number}."
                    )
            for part, column in zip(parts, columns, strict=True):
                column.append(part)
        if not columns[0]:
            raise ValueError("`episodes` must hold at least one episode. Received none.")
        lengths = np.array([len(act) for act in columns[1]], np.int64)
        obs, act, rew, terminated, truncated = (np.concatenate(column) for column in columns)
        return cls(obs, act, rew, terminated, truncated, lengths)

    def save(self, path: str | Path, dtype: Literal["float32", "float16"] = "float32") -> Path:
        """Write the episodes to one safetensors file, at once or not at all; returns its path.

        With `dtype` "float16" floating-point observations and actions take half the space and keep
        11 bits: a relative error of at most 0.05 %.  Rewards stay float32.

        Raises:
            ValueError: a number is too large for float16, whose largest is 65504.
        """
        if dtype not in ("float32", "float16"):
            raise ValueError(f'`dtype` must be "float32" or "float16". Received {dtype!r}.')
        arrays = {name: getattr(self, name) for name in _COLUMNS}
        for name in ("obs", "act") if dtype == "float16" else ():
            if arrays[name].dtype.kind == "f":
                largest = np.abs(arrays[name]).max()
                if largest > np.finfo(np.float16).max:
                    raise ValueError(
                        f'`dtype` "float16" holds at most 65504. Received {largest} in `{name}`; save as '
                        '"float32".'
                    )
                arrays[name] = arrays[name].astype(np.float16)
        return write_arrays(path, arrays, "EpisodeStore")

    @classmethod
    def load(cls, path: str | Path) -> "EpisodeStore":
        """Read what `save` wrote, and check it as everything that comes in is checked.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, holds something else, or its arrays disagree.
        """
        arrays = read_arrays(path, "EpisodeStore")
        missing = [name for name in _COLUMNS if name not in arrays]
        if missing:
            raise ValueError(
                f"`path` must hold the columns {', '.join(_COLUMNS)}. Received {path}, which lacks "
                f"{', '.join(missing)}; write it again."
            )
        return cls(**{name: arrays[name] for name in _COLUMNS})

    def __repr__(self) -> str:
        """Sizes, not contents."""
        shapes = ", ".join(f"{n} {a.shape[1:]} {a.dtype}" for n, a in (("obs", self.obs), ("act", self.act)))
        return f"EpisodeStore({self.n_episodes} episodes, {self.n_steps} steps, {shapes})"

    @property
    def n_steps(self) -> int:
        """Steps of all episodes together."""
        return int(self.lengths.sum())

    @property
    def n_episodes(self) -> int:
        """Number of episodes."""
        return len(self.lengths)

    @cached_property
    def step_starts(self) -> Int[np.ndarray, " episodes"]:
        """The first step of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @cached_property
    def episode_of(self) -> Int[np.ndarray, " steps"]:
        """The episode that each step belongs to."""
        return np.repeat(np.arange(self.n_episodes), self.lengths)

    def obs_index(self, steps: Int[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
        """Where the observations before `steps` stand in `obs`; those after them are one further."""
        return np.asarray(steps + self.episode_of[steps])

    def episode(self, index: SupportsIndex) -> Episode:
        """One episode, as views into the store."""
        number = int(self._episode_indices([int(index)])[0])
        first = int(self.step_starts[number])
        steps = slice(first, first + int(self.lengths[number]))
        frames = slice(steps.start + number, steps.stop + number + 1)
        rest = (self.act[steps], self.rew[steps], self.terminated[steps], self.truncated[steps])
        return Episode(self.obs[frames], *rest)

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

    def _episode_indices(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        given = np.asarray(indices)
        if given.dtype == np.bool_ and given.shape == (self.n_episodes,):
            given = np.flatnonzero(given)
        return within("indices", given, self.n_episodes, "episodes")

    def _steps(self, name: str, steps: np.ndarray) -> np.ndarray:
        return within(name, np.asarray(steps), self.n_steps, "steps")


def _ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """first[0], first[0] + 1, ... (lengths[0] of them), then those from first[1], and so on."""
    return np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _rows(array: np.ndarray, batch_dims: int = 1) -> Tensor:
    """A float32 tensor with at least one dimension behind the batch; exactly one for windows."""
    if batch_dims == 2 or array.ndim == 1:
        array = array.reshape(*array.shape[:batch_dims], -1)
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
