"""Labelers, pairs and pictures of `rlpriors label` by their names.

`read_data`      the episodes
`choose_pairs`   the pairs to label, with those in the file first
`make_painter`   function that draws segments
`make_labeler`   labeler by its name
`import_function` function by its module and name
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.readers.load import load_episodes
from rlpriors.envs.make import make_env
from rlpriors.envs.maze.maze import Maze
from rlpriors.preferences import (
    CallableLabeler,
    ClipPainter,
    OracleLabeler,
    PageLabeler,
    PreferenceLabeler,
    TerminalLabeler,
    disagreement_pairs,
    novel_pairs,
    uniform_pairs,
)
from rlpriors.rewards import load_reward

__all__ = ["choose_pairs", "import_function", "make_labeler", "make_painter", "read_data"]


def read_data(source: str, env_id: str | None, obs_keys: Sequence[str] | None) -> tuple[EpisodeStore, Any]:
    """Return the episodes and the maze of their environment, or None if it is no maze or unknown.

    Raises:
        ValueError: the data are damaged or do not fit the environment.
        FileNotFoundError: there is no such file.
    """
    if env_id is None:
        return load_episodes(source, obs_keys), None
    env = make_env(env_id)
    try:
        maze = Maze.from_env(env) if hasattr(env.unwrapped, "maze") else None
        spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
        return load_episodes(source, obs_keys, **spaces), maze
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"--data: {error}".replace("`obs_keys`", "--obs-keys")) from error
    finally:
        env.close()


def choose_pairs(
    store: EpisodeStore,
    known: Int[np.ndarray, "known 2 2"],
    n: int,
    length: int,
    *,
    sampler: str,
    rewards: Sequence[Path],
    seed: int,
) -> Int[np.ndarray, "pairs 2 2"]:
    """Return at most `n` different pairs, first those that are `known`.

    Raises:
        ValueError: the data have fewer than two segments, or a reward does not fit them.
    """
    if len(known) >= n:
        return known
    if sampler == "disagreement":
        models = [load_reward(folder) for folder in rewards]
        sampled = disagreement_pairs(store, 2 * n, length, models, seed)
    elif sampler == "novelty":
        sampled = novel_pairs(store, n - len(known), length, seed, known if len(known) else None)
    else:
        sampled = uniform_pairs(store, 2 * n, length, seed)  # some pairs repeat in small data
    distinct = dict.fromkeys(map(_as_tuple, sampled.tolist()))
    old = set(map(_as_tuple, known.tolist()))
    new = [pair for pair in distinct if pair not in old]
    return np.concatenate([known, np.array(new, np.int64).reshape(-1, 2, 2)[: n - len(known)]])


def make_painter(store: EpisodeStore, entries: Sequence[int], maze: Maze | None) -> ClipPainter:
    """Return a function that draws segments; in a maze, entries 0 and 1 are a place between its walls."""
    walls = None if maze is None or tuple(entries) not in ((), (0, 1)) else partial(_draw_walls, maze)
    return ClipPainter(store, tuple(entries) or None, walls)


def make_labeler(
    name: str,
    paint: ClipPainter,
    *,
    folder: Path,
    flip_probability: float,
    band: float,
    pictures: int | None,
    both_orders: bool,
    port: int,
    seed: int,
) -> PreferenceLabeler:
    """Return a labeler by its name.

    Args:
        name: "page", "human", "oracle" or "<module>:<function>".
        paint: function that draws segments.
        folder: folder of the pictures of "human".
        flip_probability: probability of a wrong answer of "oracle".
        band: largest difference without a preference of "oracle".
        pictures: number of pictures that a function receives; None passes clips.
        both_orders: call a function in both orders.
        port: port of "page".
        seed: seed of the errors of "oracle".
    """
    if name == "page":
        return PageLabeler(paint, port)
    if name == "human":
        return TerminalLabeler(paint, folder)
    if name == "oracle":
        return OracleLabeler(flip_probability, band, seed=seed)
    function = import_function(name)
    return CallableLabeler(function, paint if pictures else None, pictures, both_orders)


def import_function(name: str) -> Callable[..., Any]:
    """Return the function of "<module>:<function>".

    Raises:
        ValueError: there is no such module or function.

    Example:
        >>> import_function("math:sqrt")(4.0)
        2.0
    """
    path, _, attribute = name.partition(":")
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            f"`labeler` must name a module of the current folder or an installed one. Received {name!r}, and "
            f"there is no module {error.name!r}."
        ) from error
    function: Any = getattr(module, attribute, None)
    if not callable(function):
        raise ValueError(f"`labeler` must name a function of {path}. Received {name!r}, which has none.")
    found: Callable[..., Any] = function
    return found


def _as_tuple(pair: list[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, pair))


def _draw_walls(maze: Maze, ax: Axes) -> None:
    rows, columns = maze.free.shape
    x, y = columns / 2 * maze.scaling, rows / 2 * maze.scaling
    ax.imshow(~maze.free, cmap="Grays", vmin=0, vmax=2, extent=(-x, x, -y, y))
    edge = 0.7 * maze.scaling  # most of the outer walls is cut off
    ax.set(xlim=(-x + edge, x - edge), ylim=(-y + edge, y - edge))
