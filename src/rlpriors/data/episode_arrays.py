"""Whole episodes in flat arrays: what is kept of them, and in which order.

`Episode`         one episode as an environment gave it
`EpisodeColumns`  many episodes end to end, checked; where each begins, and files of them
`join_episodes`   the columns of some episodes
`read_columns`    those of a file

A *step* indexes actions and rewards; an *observation index* indexes observations.  An episode of
T steps has T + 1 observations, so the observation before step `s` of episode `e` stands at
`s + e`, and the one after it right behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from rlpriors.data.files import read_arrays, write_arrays
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_flags, as_lengths, as_numbers, check_columns, within

__all__ = ["Episode", "EpisodeColumns", "join_episodes", "read_columns"]

_COLUMNS = ("obs", "act", "rew", "terminated", "truncated", "lengths")
_KIND = "EpisodeStore"  # what stands in files


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
class EpisodeColumns:
    """Episodes end to end in flat arrays; what is cut out of them is `episodes.EpisodeStore`'s affair.

    Raises:
        ValueError: lengths or shapes disagree, an episode is empty, or a number is NaN or infinite.
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
            "terminated": as_flags("terminated", self.terminated),
            "truncated": as_flags("truncated", self.truncated),
            "lengths": as_lengths(self.lengths),
        }
        for name, array in settled.items():
            object.__setattr__(self, name, array)
        check_columns(**settled)

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
        return write_arrays(path, arrays, _KIND)

    def __repr__(self) -> str:
        """Sizes, not contents."""
        shapes = ", ".join(f"{n} {a.shape[1:]} {a.dtype}" for n, a in (("obs", self.obs), ("act", self.act)))
        return f"{type(self).__name__}({self.n_episodes} episodes, {self.n_steps} steps, {shapes})"

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

    def _episode_indices(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        given = np.asarray(indices)
        if given.dtype == np.bool_ and given.shape == (self.n_episodes,):
            given = np.flatnonzero(given)
        return within("indices", given, self.n_episodes, "episodes")

    def _steps(self, name: str, steps: np.ndarray) -> np.ndarray:
        return within(name, np.asarray(steps), self.n_steps, "steps")


def join_episodes(
    episodes: Iterable[Episode], obs_keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """The columns of `episodes`; `obs_keys` selects leaves of dictionary observations.

    Raises:
        ValueError: there is no episode, one is empty or of unequal lengths, or two differ in shape.
    """
    columns: tuple[list[np.ndarray], ...] = ([], [], [], [], [])
    for number, episode in enumerate(episodes):
        obs = as_numbers("obs", select_observation(episode.obs, obs_keys, batch_dims=1))
        act = as_numbers("act", episode.act, integers=np.int64)
        rew = as_numbers("rew", episode.rew, integers=np.float32)
        flags = (as_flags(name, getattr(episode, name)) for name in ("terminated", "truncated"))
        parts = (obs, act, rew, *flags)
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
    arrays = [*(np.concatenate(column) for column in columns), lengths]
    return dict(zip(_COLUMNS, arrays, strict=True))


def read_columns(path: str | Path) -> dict[str, np.ndarray]:
    """The columns that `EpisodeColumns.save` wrote, not yet checked.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or holds something else.
    """
    arrays = read_arrays(path, _KIND)
    missing = [name for name in _COLUMNS if name not in arrays]
    if missing:
        raise ValueError(
            f"`path` must hold the columns {', '.join(_COLUMNS)}. Received {path}, which lacks "
            f"{', '.join(missing)}; write it again."
        )
    return {name: arrays[name] for name in _COLUMNS}
