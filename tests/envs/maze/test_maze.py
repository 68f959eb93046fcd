from math import hypot, inf

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from rlpriors.envs.maze.maze import Maze

CORRIDOR = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
U_MAZE = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
PARTED = [[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]]  # two cells that touch at a corner


class SimulatorPlan:
    """What gymnasium-robotics keeps as `env.unwrapped.maze`."""

    maze_map = U_MAZE
    maze_size_scaling = 4.0


class Env:
    maze = SimulatorPlan()

    @property
    def unwrapped(self):
        return self


def test_cells_and_points_as_the_simulator_lays_them_out():
    maze = Maze(U_MAZE)
    assert maze.free_cells == [(1, 1), (1, 2), (1, 3), (2, 3), (3, 1), (3, 2), (3, 3)]
    assert maze.center_of((1, 1)) == (-1.0, 1.0)  # the upper left
    assert maze.center_of((2, 3)) == (1.0, 0.0)
    assert all(maze.cell_of(maze.center_of(cell)) == cell for cell in maze.free_cells)
    assert maze.cell_of((0.49, -0.51)) == (3, 2)


def test_scaling_stretches_the_plan():
    maze = Maze.from_env(Env())
    assert maze.scaling == 4.0
    assert maze.center_of((1, 1)) == (-4.0, 4.0)
    assert maze.geodesic(np.array([[-4.0, 4.0]]), (-4.0, -4.0)) == pytest.approx(
        4 * (2 * hypot(1.5, 0.5) + 1)
    )


def test_letters_are_free_cells():
    assert Maze([["r", 1], ["g", "c"]]).free_cells == [(0, 0), (1, 0), (1, 1)]


def test_is_free_knows_walls_and_the_outside():
    points = np.array([[-1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [0.0, -2.51]])
    assert Maze(U_MAZE).is_free(points).tolist() == [True, False, True, False, False]


def test_grid_covers_free_space_and_keeps_its_margin():
    maze = Maze(U_MAZE)
    grid = maze.grid(resolution=0.1)
    assert len(grid) == 7 * 100
    assert maze.is_free(grid).all()
    assert grid[0] == pytest.approx((-1.45, 1.45))
    kept = maze.grid(resolution=0.1, margin=0.2)
    assert abs(kept).max() == pytest.approx(1.25)
    assert (np.hypot(*(kept - [0.5, 0.5]).T) >= 0.2).all()
    assert len(maze.grid(0.1, margin=0.049)) == 700


def test_route_goes_round_the_wall():
    maze = Maze(U_MAZE)
    assert maze.route((1, 1), (3, 2)) == [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 2)]
    assert maze.route((1, 1), (1, 1)) == [(1, 1)]
    assert maze.next_cell((1, 3), (3, 1)) == (2, 3)
    assert maze.next_cell((3, 1), (3, 1)) == (3, 1)


def test_reachable_stops_at_walls_that_touch_at_a_corner():
    assert Maze(U_MAZE).reachable((1, 1)) == Maze(U_MAZE).free_cells
    assert Maze(PARTED).reachable((1, 1)) == [(1, 1)]


def test_geodesic_in_a_corridor_is_the_straight_line():
    maze = Maze(CORRIDOR)
    points = np.array([[-1.4, 0.4], [-1.0, 0.0], [0.0, -0.4], [1.4, 0.4], [1.2, -0.3]])
    straight = np.linalg.norm(points - [1.2, -0.3], axis=1)
    np.testing.assert_allclose(maze.geodesic(points, (1.2, -0.3)), straight, atol=1e-12)


def test_geodesic_round_the_u_by_hand():
    # From (-1, 1) to the wall's corner (.5, .5), down its end to (.5, -.5), and on to (-1, -1).
    far = 2 * hypot(1.5, 0.5) + 1
    points = np.array([[-1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.5, 0.0], [0.0, -1.0]])
    by_hand = [far, hypot(0.5, 1.5) + hypot(1.5, 0.5), hypot(0.5, 0.5) + hypot(1.5, 0.5)]
    by_hand += [0.5 + hypot(1.5, 0.5), 1.0]
    np.testing.assert_allclose(Maze(U_MAZE).geodesic(points, (-1.0, -1.0)), by_hand)


def test_geodesic_takes_points_in_a_wall_from_the_nearest_free_point():
    maze = Maze(CORRIDOR)
    points = np.array([[0.0, 0.6], [1.8, 0.0], [0.0, 0.5], [-9.0, 9.0]])
    np.testing.assert_allclose(maze.geodesic(points, (0.0, 0.0)), [0.5, 1.5, 0.5, hypot(1.5, 0.5)])
    np.testing.assert_allclose(maze.geodesic(np.array([[0.0, 0.0]]), (0.0, 0.7)), [0.5])


def test_geodesic_does_not_slip_between_walls_that_touch():
    maze = Maze(PARTED)
    points = np.array([[-0.5, 0.5], [-0.25, 0.25], [-1e-3, 1e-3], [0.3, -0.3]])
    np.testing.assert_allclose(maze.geodesic(points, (0.5, -0.5)), [inf, inf, inf, 0.2 * 2**0.5])


def test_geodesic_of_no_points_is_empty():
    assert Maze(U_MAZE).geodesic(np.zeros((0, 2)), (1.0, 0.0)).shape == (0,)


@pytest.mark.parametrize("seed", range(3))
def test_geodesic_against_steps_on_a_fine_grid(seed):
    """Steps along and across a grid are never shorter, and at most 8.24 % longer."""
    rng = np.random.default_rng(seed)
    rows = np.where(rng.random((5, 6)) < 0.35, 1, 0)
    rows[2, 2] = 0
    maze, side = Maze(rows.tolist()), 0.1
    grid = maze.grid(side)
    ticks = np.round(grid / side - 0.5).astype(int)
    apart = np.abs(ticks[:, None] - ticks[None]).max(-1)
    starts, ends = np.nonzero(apart == 1)
    middle = (grid[starts] + grid[ends]) / 2
    across = (ticks[starts] != ticks[ends]).all(1)
    # A diagonal step may not cut a wall's corner: both squares beside it must be free.
    beside = maze.is_free(np.stack([grid[starts, 0], grid[ends, 1]], 1)) & maze.is_free(
        np.stack([grid[ends, 0], grid[starts, 1]], 1)
    )
    kept = ~across | beside
    assert maze.is_free(middle[~across]).all()
    lengths = side * np.where(across, 2**0.5, 1.0)
    graph = coo_array((lengths[kept], (starts[kept], ends[kept])), shape=(len(grid),) * 2).tocsr()
    goal = len(grid) // 2
    stepped = dijkstra(graph, indices=goal)
    exact = maze.geodesic(grid, tuple(grid[goal].tolist()))
    finite = np.isfinite(stepped)
    np.testing.assert_array_equal(finite, np.isfinite(exact))
    assert (exact[finite] <= stepped[finite] + 1e-9).all()
    assert (stepped[finite] <= exact[finite] * 1.0824 + side).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Maze([]), "`maze_map` must be rows of the same length"),
        (lambda: Maze([[0, 1], [0]]), r"Received rows of \[1, 2\] cells"),
        (lambda: Maze([[1, 1], [1, 1]]), "`maze_map` must have a free cell.*4 cells are all walls"),
        (lambda: Maze(U_MAZE, 0.0), "`scaling`.* Received 0.0"),
        (lambda: Maze(U_MAZE).cell_of((2.6, 0.0)), r"`xy` must be inside the map, \|x\| < 2.5"),
        (lambda: Maze(U_MAZE).route((0, 0), (1, 1)), r"Cell \(0, 0\) is a wall"),
        (lambda: Maze(U_MAZE).route((2, 2), (2, 2)), r"Cell \(2, 2\) is a wall"),
        (lambda: Maze(U_MAZE).route((1, 1), (9, 1)), r"Cell \(9, 1\) is a wall or outside"),
        (lambda: Maze(U_MAZE).reachable((0, 0)), r"Cell \(0, 0\) is a wall"),
        (
            lambda: Maze(PARTED).route((1, 1), (2, 2)),
            "`goal` must be reachable.*walls separate.* choose another goal",
        ),
        (lambda: Maze(U_MAZE).geodesic(np.array([[np.nan, 0.0]]), (1.0, 0.0)), "must be finite"),
        (lambda: Maze(U_MAZE).geodesic(np.array([[1.0, 0.0]]), (inf, 0.0)), "must be finite"),
        (lambda: Maze(U_MAZE).grid(0.0), "`resolution` must be above 0"),
        (lambda: Maze.from_env(NoMaze()), "`env` must be a maze .* Maze\\(rows\\)"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class NoMaze:
    @property
    def unwrapped(self):
        return self


RING = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


def test_routes_go_around_what_is_avoided():
    maze = Maze(RING, avoid=[(1, 2)])
    assert Maze(RING).route((1, 1), (1, 3)) == [(1, 1), (1, 2), (1, 3)]
    assert maze.route((1, 1), (1, 3)) == [(1, 1), (2, 1), (3, 1), (3, 2), (3, 3), (2, 3), (1, 3)]
    assert maze.route((1, 2), (3, 3)) == [(1, 2), (1, 3), (2, 3), (3, 3)]  # out of it
    assert maze.geodesic(np.array([[-1.0, 1.0]]), (1.0, 1.0)) == pytest.approx([2.0])  # not heeded


def test_where_no_other_way_exists_as_few_as_possible_are_crossed():
    maze = Maze(RING, avoid=[(1, 2), (3, 1), (3, 3)])
    assert maze.route((2, 1), (2, 3)) == [(2, 1), (1, 1), (1, 2), (1, 3), (2, 3)]


def test_changed_plans():
    maze = Maze(RING, 2.0, avoid=[(1, 2), (3, 2)])
    other = maze.changed(walls=[(1, 2)], openings=[(2, 2)])
    assert other.maze_map == [[1] * 5, [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1] * 5]
    assert (other.scaling, other.avoid) == (2.0, {(3, 2)})
    assert maze.maze_map == RING
    assert maze.changed(avoid=[(1, 1)]).avoid == {(1, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"walls": [(2, 2)]}, r"`walls` must be free cells. Received \(2, 2\)"),
        ({"walls": [(9, 0)]}, r"`walls` must be free cells"),
        ({"openings": [(1, 1)]}, r"`openings` must be walls inside the map. Received \(1, 1\)"),
        ({"openings": [(-1, 1)]}, r"`openings` must be walls inside the map"),
        ({"avoid": [(2, 2)]}, r"`avoid` must contain free cells. Cell \(2, 2\) is a wall"),
    ],
)
def test_changes_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        Maze(RING).changed(**change)
