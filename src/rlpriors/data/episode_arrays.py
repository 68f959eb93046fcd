"""Whole episodes in flat arrays.

`Episode`        one episode of an environment
`EpisodeArrays`  many episodes end to end, with their bounds and files
`join_episodes`  flat arrays of a sequence of episodes
`ranges`         several runs of consecutive indices

A *step* indexes actions and rewards; an *observation index* indexes observations.  An episode of T steps has
T + 1 observations, so the observation before step `s` of episode `e` has the index `s + e`, and the
observation after it has the next index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex

import gymnasium as gym
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from rlpriors.arguments import as_number_array
from rlpriors.data.episode_files import EPISODE_COLUMNS, write_episode_arrays
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_flags, as_lengths, as_numbers, check_episode_arrays, check_indices
from rlpriors.spaces.actions import check_actions, space_to_json

__all__ = ["Episode", "EpisodeArrays", "join_episodes", "ranges"]


class Episode(NamedTuple):
    """One episode of T steps, in raw units."""

    obs: Any
    """Observations: an array [T + 1, ...] or a (nested) dictionary of arrays; the last row follows the last
    step."""
    act: np.ndarray
    """Actions [T, ...]."""
    rew: np.ndarray
    """Rewards [T]."""
    terminated: np.ndarray
    """Booleans [T]: True where the environment ended the episode by its rules."""
    truncated: np.ndarray
    """Booleans [T]: True where the episode was cut."""
    seed: int | None = None
    """Seed of the environment's reset."""


@dataclass(frozen=True, eq=False, repr=False)
class EpisodeArrays:
    """Episodes end to end in flat arrays, checked; `EpisodeStore` adds transitions, windows and pairs.

    Raises:
        ValueError: lengths or shapes disagree, an episode is empty or ends before its last step, a number is
            NaN or infinite, or an action lies outside `action_space`.
    """

    obs: Shaped[np.ndarray, "observations *obs"]
    """The T + 1 observations of each episode, end to end."""
    act: Shaped[np.ndarray, "steps *act"]
    """Actions of all steps."""
    rew: Float[np.ndarray, " steps"]
    """Rewards of all steps."""
    terminated: Bool[np.ndarray, " steps"]
    """True where an environment ended its episode by its rules."""
    truncated: Bool[np.ndarray, " steps"]
    """True where an episode was cut."""
    lengths: Int[np.ndarray, " episodes"]
    """Number of steps T of each episode."""
    obs_layout: ObservationLayout | None = None
    """Leaves of the Dict observations that `obs` consists of, in order; None if unknown or plain."""
    action_space: gym.Space[Any] | None = None
    """Action space of the environment, with the units and bounds of `act`; None if unknown."""

    def __post_init__(self) -> None:
        """Convert the number types, then check all arrays once."""
        arrays = {
            "obs": as_numbers("obs", self.obs),
            "act": as_numbers("act", self.act, integers=np.int64),
            "rew": as_numbers("rew", self.rew, integers=np.float32),
            "terminated": as_flags("terminated", self.terminated),
            "truncated": as_flags("truncated", self.truncated),
            "lengths": as_lengths(self.lengths),
        }
        for name, array in arrays.items():
            object.__setattr__(self, name, array)
        check_episode_arrays(**arrays)
        if self.obs_layout is not None:
            self.obs_layout.check_shape("obs", self.obs.shape[1:])
        if self.action_space is not None:
            check_actions("act", self.act, self.action_space, self.lengths)

    def save(self, path: str | Path, dtype: Literal["float32", "float16"] = "float32") -> Path:
        """Write the episodes atomically to one safetensors file and return its path.

        With `dtype` "float16", floating-point observations and actions take half the space and have a
        precision of 11 bits, a relative error of at most 0.05 %.  Rewards stay float32.

        Raises:
            ValueError: a number is too large for float16, whose largest is 65504.
        """
        arrays = {name: getattr(self, name) for name in EPISODE_COLUMNS}
        layout, space = self.obs_layout, self.action_space
        parts = {
            "obs_layout": None if layout is None else layout.to_json(),
            "action_space": None if space is None else space_to_json(space),
        }
        return write_episode_arrays(path, arrays, parts, dtype)

    def __repr__(self) -> str:
        """Return the sizes of the store."""
        shapes = ", ".join(f"{n} {a.shape[1:]} {a.dtype}" for n, a in (("obs", self.obs), ("act", self.act)))
        return f"{type(self).__name__}({self.n_episodes} episodes, {self.n_steps} steps, {shapes})"

    @property
    def n_steps(self) -> int:
        """Number of steps of all episodes."""
        return int(self.lengths.sum())

    @property
    def n_episodes(self) -> int:
        """Number of episodes."""
        return len(self.lengths)

    @cached_property
    def step_starts(self) -> Int[np.ndarray, " episodes"]:
        """Index of the first step of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    @cached_property
    def episode_of(self) -> Int[np.ndarray, " steps"]:
        """Index of the episode of each step."""
        return np.repeat(np.arange(self.n_episodes), self.lengths)

    def obs_index(self, steps: Int[np.ndarray, "*n"]) -> Int[np.ndarray, "*n"]:
        """Return the indices in `obs` of the observations before `steps`; the next ones follow them."""
        return np.asarray(steps + self.episode_of[steps])

    def episode(self, index: SupportsIndex) -> Episode:
        """Return one episode, as views of the store."""
        number = int(self._episode_indices([int(index)])[0])
        first = int(self.step_starts[number])
        steps = slice(first, first + int(self.lengths[number]))
        observations = slice(steps.start + number, steps.stop + number + 1)
        rest = (self.act[steps], self.rew[steps], self.terminated[steps], self.truncated[steps])
        return Episode(self.obs[observations], *rest)

    def _episode_indices(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        array = as_number_array("indices", indices)
        if array.dtype == np.bool_ and array.shape == (self.n_episodes,):
            array = np.flatnonzero(array)
        return check_indices("indices", array, self.n_episodes, "episodes")

    def _steps(self, name: str, steps: np.ndarray) -> np.ndarray:
        return check_indices(name, steps, self.n_steps, "steps")


def join_episodes(episodes: Iterable[Episode], obs_keys: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the flat arrays and the layout of `episodes`; `obs_keys` selects leaves of Dict observations.

    Raises:
        ValueError: there is no episode, an episode is empty or has arrays of different lengths, or two
            episodes differ in shape or in their leaves.
    """
    columns: tuple[list[np.ndarray], ...] = ([], [], [], [], [])
    layout: ObservationLayout | None = None
    for number, episode in enumerate(episodes):
        now = ObservationLayout.of(episode.obs, obs_keys, batch_dims=1)
        layout = layout if number else now
        if now != layout:
            raise ValueError(
                f"All episodes must have the same observation leaves, {layout or 'a plain array'} in episode "
                f"0. Received {now or 'a plain array'} in episode {number}; select common leaves by "
                "`obs_keys`."
            )
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
                "observations, including the one after the last step. Received shapes "
                f"{dict(zip(Episode._fields, (part.shape for part in parts), strict=False))} in episode "
                f"{number}; remove empty episodes."
            )
        for name, part, column in zip(("obs", "act"), parts, columns, strict=False):
            if column and part.shape[1:] != column[0].shape[1:]:
                raise ValueError(
                    f"All episodes must have `{name}` of one shape, {column[0].shape[1:]} in episode "
                    f"0. Received {part.shape[1:]} in episode {number}."
                )
        for part, column in zip(parts, columns, strict=True):
            column.append(part)
    if not columns[0]:
        raise ValueError("`episodes` must contain at least one episode. Received none.")
    lengths = np.array([len(act) for act in columns[1]], np.int64)
    arrays = [*(np.concatenate(column) for column in columns), lengths]
    return {**dict(zip(EPISODE_COLUMNS, arrays, strict=True)), "obs_layout": layout}


def ranges(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return first[0], first[0] + 1, ... (lengths[0] numbers), then those from first[1], and so on."""
    return np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
