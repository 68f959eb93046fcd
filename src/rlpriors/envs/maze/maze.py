"""Map of a maze of square cells, with routes and shortest-path distances.

`Maze`   map of a point maze, read from an environment or given as rows of cells
`Cell`   row and column
`Point`  x and y
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

from rlpriors.envs.maze.visibility import VisibilityGraph

__all__ = ["Cell", "Maze", "Point"]

Cell = tuple[int, int]
"""Row (downwards) and column (to the right) of a cell in the map."""

Point = tuple[float, float] | Float[np.ndarray, "2"]
"""Coordinates x (to the right) and y (upwards); the center of the map is the origin."""

WALL = 1
CHUNK = 4096  # points whose lines of sight are tested together; keeps the arrays inside the cache


class Maze:
    """Map of a point maze, in the layout of gymnasium-robotics.

    Args:
        maze_map: rows of cells; 1 is a wall, and every other value ("r", "g", "c", 0) is free.  Everything
            outside the map is wall.
        scaling: length of the side of a cell.
        avoid: free cells that routes avoid where another route exists; otherwise a route crosses as few of
            them as possible.  Distances do not depend on `avoid`.

    Example:
        >>> maze = Maze([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]])
        >>> maze.center_of((1, 1))
        (-1.0, 1.0)
        >>> maze.route((1, 1), (3, 3))
        [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3)]
        >>> maze.geodesic(np.array([[-1.0, 1.0]]), (-1.0, -1.0)).round(2)  # the straight line is 2
        array([4.16])

    Raises:
        ValueError: the map is empty or ragged, has no free cell, `scaling` is not positive, or a cell
            of `avoid` is a wall.
    """

    def __init__(
        self,
        maze_map: Sequence[Sequence[int | str]],
        scaling: float = 1.0,
        avoid: Sequence[Cell] = (),
    ) -> None:
        widths = {len(row) for row in maze_map}
        if len(widths) != 1 or widths == {0}:
            raise ValueError(
                "`maze_map` must be rows of the same length, at least one cell. "
                f"Received rows of {sorted(widths)} cells."
            )
        if not scaling > 0:
            raise ValueError(f"`scaling`, the side of a cell, must be above 0. Received {scaling}.")
        self.free: Bool[np.ndarray, "rows columns"] = np.array(
            [[cell != WALL for cell in row] for row in maze_map], dtype=bool
        )
        if not self.free.any():
            raise ValueError(
                f"`maze_map` must have a free cell (0). Received a map whose {self.free.size} cells are all "
                "walls (1)."
            )
        self.scaling = float(scaling)
        self.free_cells: list[Cell] = [(int(row), int(column)) for row, column in np.argwhere(self.free)]
        self._number = {cell: number for number, cell in enumerate(self.free_cells)}
        self.avoid = frozenset((int(row), int(column)) for row, column in avoid)
        for cell in sorted(self.avoid - self._number.keys()):
            raise ValueError(f"`avoid` must contain free cells. {self._not_free(cell)}")

    @classmethod
    def from_env(cls, env: Any) -> "Maze":
        """Return the map of a maze environment of gymnasium-robotics.

        Raises:
            ValueError: `env.unwrapped` has no `maze` with a `maze_map`.
        """
        maze: Any = getattr(env.unwrapped, "maze", None)
        if not hasattr(maze, "maze_map"):
            raise ValueError(
                "`env` must be a maze whose `env.unwrapped.maze` has a `maze_map`, such as "
                f"PointMaze_UMaze-v3. Received {env!r}; build the map from its rows with Maze(rows)."
            )
        return cls(maze.maze_map, float(maze.maze_size_scaling))

    @property
    def maze_map(self) -> list[list[int | str]]:
        """Rows of 0 and 1, the format of `gym.make(..., maze_map=...)`."""
        return [[int(not free) for free in row] for row in self.free]

    def changed(
        self, walls: Sequence[Cell] = (), openings: Sequence[Cell] = (), avoid: Sequence[Cell] | None = None
    ) -> "Maze":
        """Return a map with more walls, more openings, and other cells to avoid if `avoid` is given.

        Without `avoid`, the new map avoids the cells of this map that are still free.

        Raises:
            ValueError: a cell of `walls` is not free, or a cell of `openings` is not a wall.
        """
        rows = self.maze_map
        for name, cells, before, after in (("walls", walls, 0, 1), ("openings", openings, 1, 0)):
            for row, column in cells:
                inside = 0 <= row < len(rows) and 0 <= column < len(rows[0])
                if not inside or rows[row][column] != before:
                    kind = "free cells" if name == "walls" else "walls inside the map"
                    raise ValueError(f"`{name}` must be {kind}. Received {(row, column)} in {self}.")
                rows[row][column] = after
        kept = [cell for cell in sorted(self.avoid) if rows[cell[0]][cell[1]] == 0]
        return Maze(rows, self.scaling, kept if avoid is None else avoid)

    def __repr__(self) -> str:
        rows, columns = self.free.shape
        return f"Maze({rows}x{columns} cells, {len(self.free_cells)} free, scaling={self.scaling})"

    def cell_of(self, xy: Point) -> Cell:
        """Return the cell of a point, which may be free or a wall.

        Raises:
            ValueError: the point is outside the map.
        """
        rows, columns = self.free.shape
        row = int(np.floor(rows / 2 - xy[1] / self.scaling))
        column = int(np.floor(columns / 2 + xy[0] / self.scaling))
        if not (0 <= row < rows and 0 <= column < columns):
            width, height = columns / 2 * self.scaling, rows / 2 * self.scaling
            raise ValueError(
                f"`xy` must be inside the map, |x| < {width} and |y| < {height}. "
                f"Received ({float(xy[0])}, {float(xy[1])})."
            )
        return row, column

    def center_of(self, cell: Cell) -> tuple[float, float]:
        """Return the center of a cell."""
        rows, columns = self.free.shape
        return (cell[1] + 0.5 - columns / 2) * self.scaling, (rows / 2 - cell[0] - 0.5) * self.scaling

    def is_free(self, xy: Float[np.ndarray, "points 2"]) -> Bool[np.ndarray, " points"]:
        """Return True for each point in a free cell; points outside the map are not free."""
        rows, columns = self.free.shape
        row = np.floor(rows / 2 - xy[:, 1] / self.scaling)
        column = np.floor(columns / 2 + xy[:, 0] / self.scaling)
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        free = np.zeros(len(xy), dtype=bool)
        free[inside] = self.free[row[inside].astype(int), column[inside].astype(int)]
        return free

    def grid(self, resolution: float = 0.05, margin: float = 0.0) -> Float[np.ndarray, "points 2"]:
        """Return the free points of a grid of spacing `resolution`, row by row from the top.

        Points at a distance below `margin` from a wall are left out: a body of this radius cannot be there.
        """
        if not resolution > 0 or margin < 0:
            raise ValueError(
                f"`resolution` must be above 0 and `margin` at least 0. Received {resolution} and {margin}."
            )
        height, width = (side * self.scaling for side in self.free.shape)
        x = (np.arange(round(width / resolution)) + 0.5) * resolution - width / 2
        y = height / 2 - (np.arange(round(height / resolution)) + 0.5) * resolution
        xy = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        clear = self.is_free(xy)
        for low, high in self._visibility.walls if margin > 0 else ():
            outside = np.maximum(np.maximum(low - xy, xy - high), 0)
            clear &= np.hypot(outside[:, 0], outside[:, 1]) >= margin
        kept: np.ndarray = xy[clear]
        return kept

    # Routes, cell by cell

    def route(self, start: Cell, goal: Cell) -> list[Cell]:
        """Return the cells of a shortest route over shared sides, including both ends.

        Raises:
            ValueError: an end is a wall, or no route exists.
        """
        cells = [start, self.next_cell(start, goal)]
        while cells[-1] != goal:
            cells.append(self.next_cell(cells[-1], goal))
        return cells if start != goal else [start]

    def next_cell(self, cell: Cell, goal: Cell) -> Cell:
        """Return the second cell of `route(cell, goal)` from a table; `goal` if `cell` is the goal.

        Raises:
            ValueError: as `route`.
        """
        for end in (cell, goal):
            if end not in self._number:
                raise ValueError(self._not_free(end))
        if cell == goal:
            return goal
        following = int(self._next[self._number[goal], self._number[cell]])
        if following < 0:
            raise ValueError(
                f"`goal` must be reachable. Received {goal}, which walls separate from cell {cell}; choose "
                "another goal."
            )
        return self.free_cells[following]

    def reachable(self, cell: Cell) -> list[Cell]:
        """Return the free cells that are reachable from `cell`, including `cell`."""
        if cell not in self._number:
            raise ValueError(self._not_free(cell))
        number = self._number[cell]
        return [c for i, c in enumerate(self.free_cells) if i == number or self._next[i, number] >= 0]

    def _not_free(self, cell: Cell) -> str:
        return f"Cell {cell} is a wall or outside the map of {self.free.shape}. Choose one of `free_cells`."

    @cached_property
    def _next(self) -> Int[np.ndarray, "goal cell"]:
        """Number of the next free cell on the route to each goal; negative where there is none."""
        links = [
            (number, self._number[neighbor])
            for (row, column), number in self._number.items()
            for neighbor in ((row + 1, column), (row, column + 1))
            if neighbor in self._number
        ]
        ends = np.array(links, dtype=int).reshape(-1, 2).T
        # A step into an avoided cell is longer than any detour.
        far = float(len(self._number))
        length = [far if self.avoid & {self.free_cells[a], self.free_cells[b]} else 1.0 for a, b in links]
        graph = csr_array((np.array(length), (ends[0], ends[1])), shape=(len(self._number),) * 2)
        _, before = shortest_path(graph, directed=False, unweighted=not self.avoid, return_predecessors=True)
        return np.asarray(before)  # the cell before `cell` on the route from the goal

    # Distances.  A shortest path in a plane with polygonal walls bends only at the outer corners of the
    # walls, so distances over the visibility graph of the corners are exact.

    def geodesic(self, xy: Float[np.ndarray, "points 2"], goal: Point) -> Float[np.ndarray, " points"]:
        """Return the length of the shortest path in free space from each point to `goal`, for a point body.

        Points in a wall or outside the map are moved to the nearest free point.  The length is infinite where
        walls separate a point from the goal.

        Raises:
            ValueError: a coordinate is not finite.
        """
        end = np.asarray(goal, dtype=np.float64)
        if not (np.isfinite(xy).all() and np.isfinite(end).all()):
            raise ValueError("`xy` and `goal` must be finite. Received NaN or infinity; drop such rows.")
        graph = self._visibility
        nodes = np.concatenate([self._snap(end[None]), graph.corners])
        from_goal = graph.distances(nodes[1:], nodes[:1])[:, 0]  # straight from the goal to each corner
        remaining = np.append(0.0, (from_goal[:, None] + graph.corner_distances).min(0, initial=np.inf))
        return np.concatenate(
            [
                (graph.distances(self._snap(xy[i : i + CHUNK]), nodes) + remaining).min(1)
                for i in range(0, max(len(xy), 1), CHUNK)
            ]
        )

    @cached_property
    def _visibility(self) -> VisibilityGraph:
        return VisibilityGraph(self.free, self.scaling)

    def _snap(self, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Move the points that are not free to the nearest point of a free cell."""
        snapped = xy.astype(np.float64)
        outside = ~self.is_free(snapped)
        if outside.any():
            centers = np.array([self.center_of(cell) for cell in self.free_cells])
            side = self.scaling / 2
            candidates = np.clip(snapped[outside][:, None], centers - side, centers + side)
            nearest = np.linalg.norm(candidates - snapped[outside][:, None], axis=-1).argmin(1)
            snapped[outside] = candidates[np.arange(len(nearest)), nearest]
        return snapped
