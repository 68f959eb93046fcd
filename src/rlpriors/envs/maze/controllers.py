"""Experience made on the spot: a controller that knows the way, and rollouts of it.

`WaypointSettings`    what the controller is after, and how carefully
`WaypointController`  drives a point through a maze from cell to cell
`rollout`             episodes of it in an environment, in one process or several

Follows the PointMaze data sets of D4RL (Fu et al. 2020, arXiv 2004.07219), with two
changes that diffusion models of trajectories need: the controller rests at each goal, so that
staying somewhere has examples, and its goals are its own, hidden from the environment.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from rlpriors.data.episodes import Episode
from rlpriors.envs.maze.maze import Cell, Maze

__all__ = ["WaypointController", "WaypointSettings", "rollout"]


@dataclass(frozen=True)
class WaypointSettings:
    """How a `WaypointController` drives. The default makes data for a prior; `goal` makes demonstrations."""

    goal: tuple[float, float] | None = None
    """The x and y to go to and stay at; without it, random goals one after another."""
    max_steps: int = 300
    """Length of an episode, unless the environment ends it before."""
    noise: float = 0.3
    """Standard deviation of the normal noise on each action, before clipping to -1 and 1."""
    dwell: tuple[int, int] = (20, 150)
    """Fewest and most steps to rest at a random goal before the next one is drawn."""
    goal_jitter: float = 0.25
    """How far a random goal may lie from its cell's center along x and y, in sides of a cell."""
    tolerance: float = 0.15
    """How near is there, in sides of a cell."""
    kp: float = 10.0
    """Action per unit of distance to the next waypoint."""
    kd: float = 1.0
    """Action against each unit of velocity."""
    avoid: tuple[Cell, ...] = ()
    """Cells (row, column) that the route never enters where another way exists: a preference that the
    goal does not tell.  It only steers routes, so a random goal may still lie there."""
    starts: tuple[Cell, ...] = ()
    """Cells to start in, one drawn for each episode; without them, any from which the goal is reached."""

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"`max_steps` must be at least 1. Received {self.max_steps}.")
        if self.noise < 0:
            raise ValueError(f"`noise` must be at least 0. Received {self.noise}.")
        if not 0 <= self.dwell[0] <= self.dwell[1]:
            raise ValueError(f"`dwell` must be (fewest, most), 0 <= fewest <= most. Received {self.dwell}.")
        if not 0 <= self.goal_jitter < 0.5:
            raise ValueError(
                f"`goal_jitter` must be in [0, 0.5), to stay in the cell. Received {self.goal_jitter}."
            )
        if not 0 < self.tolerance < 0.5:
            raise ValueError(f"`tolerance` must be in (0, 0.5) sides of a cell. Received {self.tolerance}.")
        if self.kp <= 0 or self.kd < 0:
            raise ValueError(f"`kp` must be above 0 and `kd` at least 0. Received {self.kp} and {self.kd}.")


class WaypointController:
    """Pulls a point towards the center of the next cell on the way: `kp (waypoint - x) - kd v + noise`.

    It visits the center of every cell on a shortest way, so it does not scrape along corners, and
    finds a new way when pushed off it.  `goal` tells where it is going.

    Example:
        >>> maze = Maze([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
        >>> settings = WaypointSettings(goal=(1.0, 0.0), noise=0.0)
        >>> controller = WaypointController(maze, settings, np.random.default_rng(0))
        >>> controller.act(np.array([-1.0, 0.0, 0.0, 0.0]))
        array([1., 0.], dtype=float32)

    Raises:
        ValueError: the settings' goal is not in free space, or in a cell that they avoid; such a cell
            is a wall.
    """

    def __init__(self, maze: Maze, settings: WaypointSettings, rng: np.random.Generator) -> None:
        self.maze = maze.changed(avoid=settings.avoid) if settings.avoid else maze
        self.settings, self.rng = settings, rng
        self.goal = settings.goal
        if self.goal is not None and not maze.is_free(np.array([self.goal], dtype=np.float64))[0]:
            free = [maze.center_of(cell) for cell in maze.free_cells[:4]]
            raise ValueError(
                f"`goal` must be in free space. Received {self.goal}, a wall or outside {maze}; "
                f"free cells have their centers at {free}, ..."
            )
        if self.goal is not None and maze.cell_of(self.goal) in self.maze.avoid:
            raise ValueError(
                f"`avoid` must not hold the goal's cell. Received {sorted(self.maze.avoid)} for a goal in "
                f"{maze.cell_of(self.goal)}; leave that cell out."
            )
        self._tolerance = settings.tolerance * maze.scaling
        self._goal_cell = None if self.goal is None else maze.cell_of(self.goal)
        self._waypoint: Cell | None = None
        self._rest = -1  # steps to rest yet; negative while on the way

    def act(self, obs: Float[np.ndarray, "4"]) -> Float[np.ndarray, "2"]:
        """The action for an observation (x, y, vx, vy), each in [-1, 1].

        Raises:
            ValueError: the point is outside the map or in a wall, or no way leads to the goal.
        """
        x, y, vx, vy = obs.tolist()
        target_x, target_y = self._target(x, y)
        kp, kd = self.settings.kp, self.settings.kd
        noise_x, noise_y = (self.rng.standard_normal(2) * self.settings.noise).tolist()
        force_x = kp * (target_x - x) - kd * vx + noise_x
        force_y = kp * (target_y - y) - kd * vy + noise_y
        return np.array([min(max(force_x, -1.0), 1.0), min(max(force_y, -1.0), 1.0)], dtype=np.float32)

    def _target(self, x: float, y: float) -> tuple[float, float]:
        """Where to pull to now; moves on to the next waypoint or goal when due."""
        cell = self.maze.cell_of((x, y))
        if self._goal_cell is None or self.goal is None or self._rest == 0:
            self.goal, self._goal_cell = self._draw_goal(cell)
            self._waypoint, self._rest = None, -1
        if self._rest > 0:
            self._rest -= 1
            return self.goal
        waypoint = self._waypoint
        if waypoint is None or abs(waypoint[0] - cell[0]) + abs(waypoint[1] - cell[1]) > 1:
            waypoint = self.maze.next_cell(cell, self._goal_cell)
        if waypoint != self._goal_cell and self._near(x, y, self.maze.center_of(waypoint)):
            waypoint = self.maze.next_cell(waypoint, self._goal_cell)
        self._waypoint = waypoint
        if waypoint != self._goal_cell:
            return self.maze.center_of(waypoint)
        if self.settings.goal is None and self._near(x, y, self.goal):
            self._rest = int(self.rng.integers(self.settings.dwell[0], self.settings.dwell[1] + 1))
        return self.goal

    def _near(self, x: float, y: float, point: tuple[float, float]) -> bool:
        return (point[0] - x) ** 2 + (point[1] - y) ** 2 < self._tolerance**2

    def _draw_goal(self, cell: Cell) -> tuple[tuple[float, float], Cell]:
        """A random goal in a cell that a way leads to; another cell than this one, if there is any."""
        cells = [other for other in self.maze.reachable(cell) if other != cell] or [cell]
        goal_cell = cells[self.rng.integers(len(cells))]
        jitter = self.settings.goal_jitter * self.maze.scaling
        dx, dy = self.rng.uniform(-jitter, jitter, 2).tolist()
        x, y = self.maze.center_of(goal_cell)
        return (x + dx, y + dy), goal_cell


def rollout(
    make_env: Callable[[], gym.Env[Any, Any]],
    n_episodes: int,
    settings: WaypointSettings = WaypointSettings(),
    *,
    seed: int,
    workers: int = 0,
    progress: bool = True,
) -> list[Episode]:
    """Let the controller act for `n_episodes` episodes, each from a random free cell
    that the goal can be reached from.

    `make_env` makes a point maze of gymnasium-robotics, such as
    `partial(gym.make, "PointMaze_UMaze-v3", max_episode_steps=300)`.  By default such an environment
    never terminates, which suits a controller with goals of its own; rewards are the environment's.
    The last step is marked truncated when the controller stops and the environment has not ended.

    `workers` is the number of processes; 0 stays in this one.  Then `make_env` must be a function
    at the top level of a module or a `functools.partial`, and a script must guard its start with
    `if __name__ == "__main__":`.  The result depends on `seed` alone, not on `workers`, and fewer
    episodes of the same seed are a prefix of more.

    Raises:
        ValueError: an argument is out of bounds, the goal is not in free space, or `make_env` does
            not make a point maze.
        RuntimeError: a worker process died.
    """
    if n_episodes < 1 or workers < 0 or seed < 0:
        raise ValueError(
            f"`n_episodes` must be at least 1, `workers` and `seed` at least 0. "
            f"Received {n_episodes}, {workers} and {seed}."
        )
    here = _Roller(make_env, settings, seed)  # made for workers too: what is wrong shows here, at once
    done = map(here.episode, range(n_episodes)) if workers == 0 else _share(here, n_episodes, workers)
    try:
        bar = tqdm(done, desc="rollout", total=n_episodes, unit="episode", disable=not progress)
        return list(bar)
    finally:
        here.env.close()


class _Roller:
    """An environment with its plan, and the episodes made there, each from its own seed."""

    def __init__(
        self, make_env: Callable[[], gym.Env[Any, Any]], settings: WaypointSettings, seed: int
    ) -> None:
        self.recipe = (make_env, settings, seed)
        self.settings, self.seed = settings, seed
        self.env = make_env()
        spaces = getattr(self.env.observation_space, "spaces", {})
        if "observation" not in spaces or spaces["observation"].shape != (4,):
            raise ValueError(
                "`make_env` must make a point maze, whose observation is a dictionary with an "
                f'"observation" of size 4 (x, y, vx, vy). Received {self.env.observation_space}.'
            )
        self.maze = Maze.from_env(self.env)
        plan = WaypointController(self.maze, settings, np.random.default_rng(seed)).maze  # checks the goal
        self.cells = plan.free_cells
        if settings.goal is not None:
            self.cells = plan.reachable(plan.cell_of(settings.goal))
        for cell in settings.starts:
            if cell not in self.cells:
                raise ValueError(
                    f"`starts` must be free cells from which the goal can be reached: {self.cells}. "
                    f"Received {cell}."
                )
        self.cells = list(settings.starts) or self.cells

    def episode(self, number: int) -> Episode:
        starts, drives = np.random.SeedSequence(self.seed, spawn_key=(number,)).spawn(2)
        rng = np.random.default_rng(drives)
        controller = WaypointController(self.maze, self.settings, rng)
        cells = self.cells
        env_seed = int(starts.generate_state(1)[0])
        start = np.array(cells[rng.integers(len(cells))])
        obs, _ = self.env.reset(seed=env_seed, options={"reset_cell": start})
        seen, acts, rews, terminated, truncated = [obs], [], [], False, False
        for _ in range(self.settings.max_steps):
            act = controller.act(obs["observation"])
            obs, rew, terminated, truncated, _ = self.env.step(act)
            seen.append(obs)
            acts.append(act)
            rews.append(rew)
            if terminated or truncated:
                break
        last = np.arange(len(acts)) == len(acts) - 1
        return Episode(
            obs={key: np.stack([obs[key] for obs in seen]) for key in obs},
            act=np.stack(acts),
            rew=np.array(rews, dtype=np.float64),
            terminated=last & terminated,
            truncated=last & (truncated or not terminated),
            seed=env_seed,
        )


def _share(roller: _Roller, n_episodes: int, workers: int) -> Iterator[Episode]:
    """The episodes in order, made by processes that share nothing but the recipe."""
    try:
        ForkingPickler.dumps(roller.recipe)
    except Exception as error:  # the type depends on what could not be pickled
        raise ValueError(
            "`make_env` must be picklable when `workers` > 0: a top-level function or a functools.partial, "
            f"no lambda. Received {roller.recipe[0]!r} ({error})."
        ) from error
    pool = ProcessPoolExecutor(min(workers, n_episodes), get_context("spawn"), _begin, roller.recipe)
    try:
        yield from pool.map(_episode, range(n_episodes))
    except BrokenProcessPool as error:
        raise RuntimeError(
            'A rollout worker died. Does the script guard its start with `if __name__ == "__main__":`? '
            "`workers=0` shows errors in this process."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_recipe: tuple[Callable[[], gym.Env[Any, Any]], WaypointSettings, int] | None = None
_roller: _Roller | None = None


def _begin(*recipe: Any) -> None:
    global _recipe
    _recipe = recipe


def _episode(number: int) -> Episode:
    """One episode in a worker; the environment is made with the first, where an error comes through."""
    global _roller
    if _roller is None:
        assert _recipe is not None
        _roller = _Roller(*_recipe)
    return _roller.episode(number)
