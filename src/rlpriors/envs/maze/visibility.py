"""Visibility graph of a map of square cells.

`VisibilityGraph`  walls, their corners, and straight and shortest distances between them
"""

from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import shortest_path

__all__ = ["VisibilityGraph"]

MARGIN = 1e-7  # walls shrink by this margin, so that a path may touch them


class VisibilityGraph:
    """Visibility graph of a map with free cells and walls; everything outside the map is wall.

    Points are x and y relative to the center of the map, as in `Maze`.  `scaling` is the side of a cell.

    Example:
        >>> graph = VisibilityGraph(np.array([[True, False], [True, True]]), 1.0)
        >>> graph.corners  # of the one wall inside
        array([[0., 0.]])
        >>> graph.distances(np.array([[-0.5, 0.5]]), np.array([[-0.5, -0.5], [0.6, -0.5]]))
        array([[ 1., inf]])
    """

    def __init__(self, free: Bool[np.ndarray, "rows columns"], scaling: float) -> None:
        self.free, self.scaling = free, scaling

    def distances(
        self, a: Float[np.ndarray, "from 2"], b: Float[np.ndarray, "to 2"]
    ) -> Float[np.ndarray, "from to"]:
        """Return the straight distance from each point of `a` to each of `b`, infinite across walls.

        A segment does not cross a box when an axis separates them: x, y, or the segment's normal.
        """
        half = (b - a[:, None]) / 2
        middle = a[:, None] + half
        hx, hy = np.abs(half[..., 0]), np.abs(half[..., 1])
        hidden = np.zeros(half.shape[:2], dtype=bool)
        for low, high in self.walls:
            ex, ey = (high - low) / 2 - MARGIN
            dx, dy = (middle[..., i] - (low[i] + high[i]) / 2 for i in range(2))
            across = np.abs(half[..., 0] * dy - half[..., 1] * dx)
            hidden |= (np.abs(dx) < ex + hx) & (np.abs(dy) < ey + hy) & (across < ex * hy + ey * hx)
        return np.where(hidden, np.inf, 2 * np.hypot(hx, hy))

    @cached_property
    def walls(self) -> Float[np.ndarray, "boxes 2 2"]:
        """Lower left and upper right corners of boxes that cover the walls and a border around the map.

        The boxes are runs of wall cells along rows *and* along columns: single cells would leave a gap
        between neighbors once they shrink.  A tiny box closes the gap where two walls touch at a corner only.
        """
        wall = np.pad(~self.free, 1, constant_values=True)
        spans = []  # top, left, bottom, right in cell sides of the padded map
        for lines, along_rows in ((wall, True), (wall.T, False)):
            for number, line in enumerate(lines):
                edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
                for start, stop in edges.reshape(-1, 2):
                    span = (number, start, number + 1, stop)
                    spans.append(span if along_rows else (start, number, stop, number + 1))
        tiny = 10 * MARGIN / self.scaling
        spans += [(r - tiny, c - tiny, r + tiny, c + tiny) for r, c in self._corner_kinds[1]]
        top, left, bottom, right = np.array(spans, dtype=np.float64).T
        return np.stack([self._to_xy(bottom, left), self._to_xy(top, right)], axis=1)

    @cached_property
    def corners(self) -> Float[np.ndarray, "corners 2"]:
        """Outer corners of the walls, where shortest paths bend."""
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
    def corner_distances(self) -> Float[np.ndarray, "corners corners"]:
        """Length of the shortest path between each pair of corners."""
        straight = self.distances(self.corners, self.corners)
        return np.asarray(shortest_path(straight, directed=False)) if len(straight) else straight

    def _to_xy(
        self, row: Float[np.ndarray, " n"], column: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n 2"]:
        """Return the points of corners of the padded map; row 1, column 1 is the map's upper left corner."""
        rows, columns = self.free.shape
        return np.stack([column - 1 - columns / 2, rows / 2 - (row - 1)], axis=-1) * self.scaling
