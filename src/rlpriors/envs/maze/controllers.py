"""Waypoint controller for point mazes.

`WaypointSettings`    settings of the controller
`WaypointController`  proportional-derivative control from cell to cell

The design follows the PointMaze data sets of D4RL (Fu et al. 2020, arXiv 2004.07219), with two changes that
diffusion models of trajectories need.  The controller rests at each goal, so that the data contain rests.
Its goals are not in the observations.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rlpriors.envs.maze.maze import Cell, Maze
from rlpriors.settings import check_fields

__all__ = ["WaypointController", "WaypointSettings"]


@dataclass(frozen=True)
class WaypointSettings:
    """Settings of `WaypointController`; the defaults give data for a prior, `goal` gives demonstrations."""

    goal: tuple[float, float] | None = None
    """Goal (x, y) to go to and stay at; None for a sequence of random goals."""
    max_episode_steps: int = 300
    """Number of steps after which an episode is truncated, unless the environment ends it earlier."""
    action_noise: float = 0.3
    """Standard deviation of the normal noise on each action, before clipping to -1 and 1."""
    dwell: tuple[int, int] = (20, 150)
    """Minimum and maximum number of steps to rest at a random goal before the next one is drawn."""
    goal_jitter: float = 0.25
    """Maximum distance of a random goal from its cell's center along x and y, in sides of a cell."""
    tolerance: float = 0.15
    """Distance to a waypoint or goal at which it is reached, in sides of a cell."""
    kp: float = 10.0
    """Proportional gain: action per unit of distance to the next waypoint."""
    kd: float = 1.0
    """Derivative gain: action against each unit of velocity."""
    avoid: tuple[Cell, ...] = ()
    """Cells (row, column) that the route never enters where another route exists: a preference that the goal
    does not contain.  Only routes depend on it, so a random goal can be in such a cell."""
    starts: tuple[Cell, ...] = ()
    """Cells to start in, one drawn for each episode; empty for all cells from which the goal is reachable."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_episode_steps < 1:
            raise ValueError(f"`max_episode_steps` must be at least 1. Received {self.max_episode_steps}.")
        if self.action_noise < 0:
            raise ValueError(f"`action_noise` must be at least 0. Received {self.action_noise}.")
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
    """Proportional-derivative controller to the next waypoint: `kp (waypoint - x) - kd v + noise`.

    Waypoints are the centers of the cells on a shortest route, so the point does not touch corners.  The
    route is computed again when the point leaves it.  The attribute `goal` is the current goal.

    Example:
        >>> maze = Maze([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
        >>> settings = WaypointSettings(goal=(1.0, 0.0), action_noise=0.0)
        >>> controller = WaypointController(maze, settings, np.random.default_rng(0))
        >>> controller.act(np.array([-1.0, 0.0, 0.0, 0.0]))
        array([1., 0.], dtype=float32)

    Raises:
        ValueError: the goal of the settings is not in free space or is in a cell of `avoid`, or a cell of
            `avoid` is a wall.
    """

    def __init__(self, maze: Maze, settings: WaypointSettings, rng: np.random.Generator) -> None:
        self.maze = maze.changed(avoid=settings.avoid) if settings.avoid else maze
        self.settings, self.rng = settings, rng
        self.goal = settings.goal
        if self.goal is not None and not maze.is_free(np.array([self.goal], dtype=np.float64))[0]:
            free = [maze.center_of(cell) for cell in maze.free_cells[:4]]
            raise ValueError(
                f"`goal` must be in free space. Received {self.goal}, which is in a wall or outside {maze}; "
                f"centers of free cells are {free}, ..."
            )
        if self.goal is not None and maze.cell_of(self.goal) in self.maze.avoid:
            raise ValueError(
                f"`avoid` must not contain the cell of the goal. Received {sorted(self.maze.avoid)} for a "
                f"goal in {maze.cell_of(self.goal)}; remove that cell."
            )
        self._tolerance = settings.tolerance * maze.scaling
        self._goal_cell = None if self.goal is None else maze.cell_of(self.goal)
        self._waypoint: Cell | None = None
        self._rest = -1  # steps of rest that are left; negative on the way

    def act(self, obs: Float[np.ndarray, "4"]) -> Float[np.ndarray, "2"]:
        """Return the action for an observation (x, y, vx, vy), with both components in [-1, 1].

        Raises:
            ValueError: the point is outside the map or in a wall, or no route leads to the goal.
        """
        x, y, vx, vy = obs.tolist()
        target_x, target_y = self._target(x, y)
        kp, kd = self.settings.kp, self.settings.kd
        noise_x, noise_y = (self.rng.standard_normal(2) * self.settings.action_noise).tolist()
        force_x = kp * (target_x - x) - kd * vx + noise_x
        force_y = kp * (target_y - y) - kd * vy + noise_y
        return np.array([min(max(force_x, -1.0), 1.0), min(max(force_y, -1.0), 1.0)], dtype=np.float32)

    def _target(self, x: float, y: float) -> tuple[float, float]:
        """Return the current target; advance to the next waypoint or goal when one is reached."""
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
        """Draw a goal in a reachable cell, other than `cell` if possible."""
        cells = [other for other in self.maze.reachable(cell) if other != cell] or [cell]
        goal_cell = cells[self.rng.integers(len(cells))]
        jitter = self.settings.goal_jitter * self.maze.scaling
        dx, dy = self.rng.uniform(-jitter, jitter, 2).tolist()
        x, y = self.maze.center_of(goal_cell)
        return (x + dx, y + dy), goal_cell
