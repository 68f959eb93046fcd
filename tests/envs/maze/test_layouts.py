"""The worlds beside the demo's: two ways, cells to avoid, other starts, other walls."""

import pickle
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from rlpriors.data import Episode, EpisodeStore
from rlpriors.envs.maze.layouts import LAYOUTS, make_point_maze
from rlpriors.envs.maze.maze import Maze
from rlpriors.envs.maze.point_maze import PointMazeTask, make_task

pytest.importorskip("gymnasium_robotics", reason="needs the `maze` extra")


@pytest.fixture(scope="module")
def ring() -> PointMazeTask:
    """Its goal is in the middle of the lower side; the right side is to avoid."""
    return make_task(layout="ring-avoid", max_episode_steps=60)


def visits(*places: tuple[float, float]) -> Episode:
    obs = np.array([[x, y, 0.0, 0.0] for x, y in places])
    steps = len(places) - 1
    return Episode(obs, np.zeros((steps, 2)), np.zeros(steps), np.zeros(steps, bool), np.zeros(steps, bool))


# ---------------------------------------------------------------- the worlds


def test_the_ring(ring) -> None:
    lines = ["".join("# "[int(free)] for free in row) for row in ring.maze.free]
    assert lines == ["#######", "#     #", "# ### #", "# ### #", "# ### #", "#     #", "#######"]
    assert ring.maze.center_of((5, 3)) == ring.goal == (0.0, -2.0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_world_holds_its_goal_and_one_piece(layout) -> None:
    task = make_task(layout=layout, max_episode_steps=5)
    assert len(task.maze.reachable(task.maze.cell_of(task.goal))) == len(task.maze.free_cells)
    env = task.env_factory()
    assert np.array_equal(Maze.from_env(env).free, task.maze.free)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 5
    assert env.spec.id == LAYOUTS[layout].env_id
    env.close()


def test_presets_and_what_replaces_them() -> None:
    lengths = {layout: make_task(layout=layout).max_episode_steps for layout in ("large", "ring", "umaze")}
    assert lengths == {"large": 800, "ring": 400, "umaze": 300}
    assert make_task().max_episode_steps == 300
    task = make_task((2.0, 2.0), 50, layout="ring", avoid=[(5, 3)], starts=[(1, 1)])
    assert (task.goal, task.max_episode_steps) == ((2.0, 2.0), 50)
    assert (task.avoid, task.starts) == (((5, 3),), ((1, 1),))
    assert make_task(layout="ring-avoid", avoid=()).avoid == ()


@pytest.mark.parametrize(("layout", "start"), [("umaze", (1, 2)), ("large", (1, 6)), ("ring", (5, 1))])
def test_blocked_worlds_close_the_usual_way(layout, start) -> None:
    free, blocked = (make_task(layout=name) for name in (layout, layout + "-blocked"))
    assert free.goal == blocked.goal
    ways = [task.maze.route(start, task.maze.cell_of(task.goal)) for task in (free, blocked)]
    assert any(not blocked.maze.free[cell] for cell in ways[0])
    if layout != "umaze":  # there the new way is as long
        xy = np.array([free.maze.center_of(start)])
        assert blocked.distance(xy)[0] > free.distance(xy)[0] + 5


def test_bad_worlds() -> None:
    with pytest.raises(ValueError, match=r"`layout` must be one of umaze, .*Received 'u-maze'"):
        make_task(layout="u-maze")
    with pytest.raises(
        ValueError, match=r"`starts` must be free cells from which the goal.*Received \(2, 2\)"
    ):
        make_task(starts=[(2, 2)])
    with pytest.raises(ValueError, match="`avoid` must contain free cells"):
        make_task(avoid=[(0, 0)])
    with pytest.raises(ValueError, match="`avoid` must not contain the cell of the goal"):
        make_task(avoid=[(3, 1)])
    with pytest.raises(ValueError, match="`penalty` must be at least 0"):
        replace(make_task(), penalty=-1.0)


# ---------------------------------------------------------------- the truth


def test_distance_goes_around_what_is_avoided(ring) -> None:
    free = replace(ring, avoid=())
    # From the upper right corner: down the right side and around one corner of the inner wall, or
    # along the top, down the left, and around three corners.
    corner = np.array([[2.0, 2.0]])
    half = np.hypot(1.5, 0.5)  # from a corridor's middle, 1.5 before the wall's corner, to that corner
    down = np.hypot(0.5, 3.5) + half
    around = np.hypot(3.5, 0.5) + 3 + half
    assert free.distance(corner) == pytest.approx([down])
    assert ring.distance(corner) == pytest.approx([around])
    # Where the short way does not meet it, nothing changes.
    left = np.array([[-2.0, 2.0], [0.0, -2.0], [1.2, -2.0]])
    assert ring.distance(left) == pytest.approx(free.distance(left))


def test_being_in_an_avoided_cell_costs(ring) -> None:
    xy = np.array([[2.0, -0.8], [2.0, -1.51], [9.0, 9.0], [0.0, 0.0]])  # the last two: outside, a wall
    assert ring.avoided(xy).tolist() == [True, False, False, False]
    free = replace(ring, avoid=())
    assert ring.distance(xy[:2]) == pytest.approx(free.distance(xy[:2]) + np.array([30.0, 0.0]))
    assert replace(ring, penalty=5.0).distance(xy[:1]) == pytest.approx(free.distance(xy[:1]) + 5)


@pytest.mark.parametrize("layout", ["ring-avoid", "large-avoid"])
def test_the_truth_prefers_what_the_demonstrations_do(layout) -> None:
    """The way of the least distance, summed up along it, enters no cell to avoid."""
    task = make_task(layout=layout)
    xy = task.maze.grid(0.25)
    pairs = cKDTree(xy).query_pairs(0.26, output_type="ndarray")
    cost = task.distance(xy)[pairs].mean(1) * 0.25
    graph = csr_array((cost + 1e-9, tuple(pairs.T)), shape=(len(xy),) * 2)
    goal = int(np.linalg.norm(xy - task.goal, axis=1).argmin())
    _, before = dijkstra(graph, directed=False, indices=goal, return_predecessors=True)
    inside = task.avoided(xy)
    entered = inside[before[~inside & (before >= 0)]]
    assert not entered.any()
    if layout == "ring-avoid":  # and the shortest does
        free = replace(task, avoid=())
        cost = free.distance(xy)[pairs].mean(1) * 0.25
        graph = csr_array((cost + 1e-9, tuple(pairs.T)), shape=(len(xy),) * 2)
        _, before = dijkstra(graph, directed=False, indices=goal, return_predecessors=True)
        assert inside[before[~inside & (before >= 0)]].any()


def test_where_no_other_way_exists_the_way_is_as_it_is() -> None:
    free, avoiding = make_task(), make_task(avoid=[(2, 3)])  # the only way
    xy = np.array([[-1.0, 1.0], [1.0, 0.3], [0.0, -1.0]])
    assert avoiding.distance(xy) == pytest.approx(free.distance(xy) + np.array([0.0, 30.0, 0.0]))


def test_the_oracle_knows_what_is_avoided(ring) -> None:
    obs = torch.tensor([[2.0, 2.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [-2.0, 0.0, 0.0, 0.0]])
    nothing = torch.zeros(3, 2), obs, torch.zeros(3, dtype=torch.bool)
    given = ring.oracle(0.5)(obs, *nothing)
    assert given.numpy() == pytest.approx(-0.5 * ring.distance(obs[:, :2].numpy()), abs=1e-3)


def test_violations(ring) -> None:
    store = EpisodeStore.from_episodes(
        [
            visits((0, -2), (-2, 0), (-2, 2), (0, 2)),
            visits((2, 2), (2, 0), (2, -1), (0, -2)),  # in, for two of four frames
            visits(
                (2, 0), (2, 1), (2, 2), (2, 1)
            ),  # begins there and leaves, which is no fault; then returns
            visits((2, 0), (2, 0), (2, 0), (2, 0)),
        ]
    )
    assert ring.violations(store).tolist() == [0.0, 0.5, 0.25, 0.0]
    assert replace(ring, avoid=()).violations(store).tolist() == [0.0] * 4


# ---------------------------------------------------------------- demonstrations and acting


def test_demonstrations_avoid_what_a_way_to_the_goal_need_not(ring) -> None:
    task = replace(ring, max_episode_steps=300, starts=((1, 5),))
    careful = task.demonstrations(3, seed=0)
    careless = replace(task, avoid=()).demonstrations(3, seed=0)
    assert (task.stayed(careful).all(), task.stayed(careless).all()) == (True, True)
    assert task.violations(careful).max() == 0
    assert task.violations(careless).min() > 0.05


def test_episodes_start_where_they_are_told(ring) -> None:
    task = replace(ring, starts=((1, 5), (1, 1)), max_episode_steps=3)
    store = task.demonstrations(6, seed=0)
    begun = {task.maze.cell_of(tuple(store.episode(i).obs[0, :2].tolist())) for i in range(6)}
    assert begun == {(1, 5), (1, 1)}
    env = pickle.loads(pickle.dumps(task.env_factory))()
    cells = set()
    for seed in range(8):
        obs, _ = env.reset(seed=seed)
        cells.add(task.maze.cell_of(tuple(obs["observation"][:2].tolist())))
    env.close()
    assert cells == begun


def test_changed_keeps_the_goal(ring) -> None:
    changed = ring.changed(walls=[(2, 5)], openings=[(3, 4)], starts=[(1, 3)])
    assert (changed.goal, changed.max_episode_steps) == (ring.goal, ring.max_episode_steps)
    assert changed.starts == ((1, 3),)
    assert changed.avoid == ((3, 5), (4, 5))
    assert changed.maze.free[3].tolist() == [False, True, False, False, True, True, False]
    assert ring.maze.free[2, 5]
    with pytest.raises(ValueError, match=r"`walls` must be free cells. Received \(0, 0\)"):
        ring.changed(walls=[(0, 0)])
    with pytest.raises(ValueError, match=r"`goal` must be in free space"):
        ring.changed(walls=[(5, 3)])


def test_make_env_has_starts() -> None:
    env = make_point_maze(7, starts=[(3, 1)])
    obs, _ = env.reset(seed=0)
    assert isinstance(env, gym.Env)
    assert np.abs(obs["observation"][:2] - [-1.0, -1.0]).max() <= 0.25
    env.close()
