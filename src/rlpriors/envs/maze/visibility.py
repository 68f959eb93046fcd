"""Which points of a plan of square cells see each other.

`Sight`  walls, their corners, and straight and shortest ways between these
"""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import shortest_path

__all__ = ["Sight"]

GRAZE = 1e-7  # walls shrink by this, so that a path may touch them


class Sight:
    """Straight lines over a plan whose cells are free or walls; outside it all is wall.

    Points are x and y around the plan's middle, as `Maze` has them.  `scaling` is a cell's side.

    Example:
        >>> sight = Sight(np.array([[True, False], [True, True]]), 1.0)
        >>> sight.corners  # of the one wall inside
        array([[0., 0.]])
        >>> sight.between(np.array([[-0.5, 0.5]]), np.array([[-0.5, -0.5], [0.6, -0.5]]))
        array([[ 1., inf]])
    """

    def __init__(self, free: Bool[np.ndarray, "rows columns"], scaling: float) -> None:
        self.free, self.scaling = free, scaling

    def between(
        self, a: Float[np.ndarray, "from 2"], b: Float[np.ndarray, "to 2"]
    ) -> Float[np.ndarray, "from to"]:
        """Straight distance from each point to each other, infinite where a wall is between.

        A segment misses a box when an axis separates them: x, y, or the segment's normal.
        """
        half = (b - a[:, None]) / 2
        middle = a[:, None] + half
        hx, hy = np.abs(half[..., 0]), np.abs(half[..., 1])
        hidden = np.zeros(half.shape[:2], dtype=bool)
        for low, high in self.walls:
            ex, ey = (high - low) / 2 - GRAZE
            dx, dy = (middle[..., i] - (low[i] + high[i]) / 2 for i in range(2))
            across = np.abs(half[..., 0] * dy - half[..., 1] * dx)
            hidden |= (np.abs(dx) < ex + hx) & (np.abs(dy) < ey + hy) & (across < ex * hy + ey * hx)
        return np.where(hidden, np.inf, 2 * np.hypot(hx, hy))

    @cached_property
    def walls(self) -> Float[np.ndarray, "boxes 2 2"]:
        """Lower left and upper right corners of boxes that cover the walls and a rim around the map.

        Runs of wall cells along rows *and* along columns: neighbors would leave a crack between
        them once shrunk.  Where two walls touch at a corner only, a tiny box closes the gap.
        """
        wall = np.pad(~self.free, 1, constant_values=True)
        spans = []  # top, left, bottom, right in cell sides of the padded map
        for lines, along_rows in ((wall, True), (wall.T, False)):
            for number, line in enumerate(lines):
                edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
                for start, stop in edges.reshape(-1, 2):
                    span = (number, start, number + 1, stop)
                    spans.append(span if along_rows else (start, number, stop, number + 1))
        tiny = 10 * GRAZE / self.scaling
        spans += [(r - tiny, c - tiny, r + tiny, c + tiny) for r, c in self._corner_kinds[1]]
        top, left, bottom, right = np.array(spans, dtype=np.float64).T
        return np.stack([self._to_xy(bottom, left), self._to_xy(top, right)], axis=1)

    @cached_property
    def corners(self) -> Float[np.ndarray, "corners 2"]:
        """The walls' outer corners, where shortest paths bend."""
        rows, columns = self._corner_kinds[0].T
        return self._to_xy(rows.astype(np.float64), columns.astype(np.float64))

    @cached_property
    def _corner_kinds(self) -> tuple[Int[np.ndarray, "outer 2"], Int[np.ndarray, "pinched 2"]]:
        """Corners (row, column of the padded map) of a single wall cell, and of two that touch there."""
        wall = np.pad(~self.free, 1, constant_values=True)
        falling, rising = wall[:-1, :-1] & wall[1:, 1:], wall[:-1, 1:] & wall[1:, :-1]
        around = wall[:-1, :-1].astype(int) + wall[1:, 1:] + wall[:-1, 1:] + wall[1:, :-1]
        return np.argwhere(around == 1) + 1, np.argwhere((around == 2) & (falling | rising)) + 1

    @cached_property
    def corner_ways(self) -> Float[np.ndarray, "corners corners"]:
        """Length of the shortest path between each two corners."""
        straight = self.between(self.corners, self.corners)
        return np.asarray(shortest_path(straight, directed=False)) if len(straight) else straight

    def _to_xy(
        self, row: Float[np.ndarray, " n"], column: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n 2"]:
        """Corners of the padded map (row 1, column 1 is the map's upper left one) as points."""
        rows, columns = self.free.shape
        return np.stack([column - 1 - columns / 2, rows / 2 - (row - 1)], axis=-1) * self.scaling
