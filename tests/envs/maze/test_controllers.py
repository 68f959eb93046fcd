"""The waypoint controller: actions, routes, rests and settings."""

import numpy as np
import pytest

from rlpriors.envs.make import make_env
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings
from rlpriors.envs.maze.maze import Maze

pytest.importorskip("gymnasium_robotics", reason="needs the `maze` extra")

CORRIDOR = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


RING = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


def controller(maze_map=CORRIDOR, seed=0, **settings):
    return WaypointController(Maze(maze_map), WaypointSettings(**settings), np.random.default_rng(seed))


def at(x, y, vx=0.0, vy=0.0):
    return np.array([x, y, vx, vy])


def test_action_by_hand():
    # In the goal's cell: 10 * (1.0 - 0.98) - 1 * 0.1 = 0.1 and 10 * (0.0 - 0.01) + 1 * 0.05 = -0.05.
    act = controller(goal=(1.0, 0.0), action_noise=0.0).act(at(0.98, 0.01, 0.1, -0.05))
    assert act.dtype == np.float32
    np.testing.assert_allclose(act, [0.1, -0.05], rtol=1e-6)
    # One cell away the pull is clipped; two cells away it goes to the center between.
    assert controller(goal=(1.0, 0.2), action_noise=0.0).act(at(0.0, 0.0)).tolist() == [1.0, 1.0]
    np.testing.assert_allclose(
        controller(goal=(1.0, 0.2), action_noise=0.0).act(at(-1.0, 0.01)), [1.0, -0.1], rtol=1e-6
    )


def test_turns_only_near_a_cells_center():
    bend = [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    drive = controller(bend, goal=(0.5, -0.5), action_noise=0.0)
    assert drive.act(at(-0.5, 0.5))[0] == 1.0
    # Over the border, 0.3 before the bend's center: still straight on.  At 0.1 before it: down.
    assert drive.act(at(0.2, 0.5)).tolist() == [1.0, 0.0]
    assert drive.act(at(0.4, 0.5)).tolist() == [1.0, -1.0]


def test_finds_a_new_way_when_pushed_off():
    drive = controller([[1] * 6, [1, 0, 0, 0, 0, 1], [1] * 6], goal=(1.5, 0.0), action_noise=0.0)
    drive.act(at(0.5, 0.0))
    assert drive.act(at(-1.5, 0.2)).tolist() == [1.0, -1.0]  # to the center of the next cell, y = 0


def test_rests_at_a_goal_and_then_goes_to_another():
    drive = controller(action_noise=0.0, dwell=(3, 3))
    drive.act(at(0.0, 0.0))
    goal = drive.goal
    for _ in range(4):  # the step that arrives and three more
        drive.act(at(*goal))
        assert drive.goal == goal
    drive.act(at(*goal))
    assert drive.goal != goal
    assert drive.maze.cell_of(drive.goal) != drive.maze.cell_of(goal)


def test_noise_and_goals_come_from_the_generator():
    same = [controller(seed=3).act(at(0.0, 0.01)) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    drive = controller(goal=(0.0, 0.0), action_noise=0.1, seed=1)
    acts = np.stack([drive.act(at(0.0, 0.0)) for _ in range(2000)])
    np.testing.assert_allclose(acts.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(acts.std(0), 0.1, atol=0.01)


def test_rests_where_it_is_in_a_maze_of_one_cell():
    drive = controller([[0]], action_noise=0.0)
    for _ in range(400):
        assert np.abs(drive.act(at(0.0, 0.0))).max() <= 1
    assert np.abs(drive.goal).max() <= 0.25


@pytest.mark.parametrize("name", ["UMaze", "Medium", "Large"])
def test_reaches_far_cells_in_the_simulator(name):
    env = make_env(f"PointMaze_{name}-v3", disable_env_checker=True, max_episode_steps=10_000)
    maze = Maze.from_env(env)
    ends = [maze.free_cells[i] for i in (0, len(maze.free_cells) // 2, -1)]
    rng = np.random.default_rng(0)
    for start, end in zip(ends, ends[1:] + ends[:1], strict=True):
        x, y = maze.center_of(end)
        goal = (x + 0.25, y - 0.25)
        drive = WaypointController(maze, WaypointSettings(goal=goal), rng)
        obs, _ = env.reset(seed=0, options={"reset_cell": np.array(start)})
        for _ in range(40 * len(maze.route(start, end))):
            obs, *_ = env.step(drive.act(obs["observation"]))
        assert np.linalg.norm(obs["achieved_goal"] - goal) < 0.1, (start, end)


def test_plan_agrees_with_the_simulators():
    env = make_env("PointMaze_Large-v3", disable_env_checker=True)
    maze = Maze.from_env(env)
    for cell in maze.free_cells:
        assert maze.center_of(cell) == pytest.approx(env.unwrapped.maze.cell_rowcol_to_xy(np.array(cell)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_episode_steps": 0}, "`max_episode_steps` must be at least 1. Received 0"),
        ({"action_noise": -0.1}, "`action_noise` must be at least 0"),
        ({"dwell": (5, 4)}, r"`dwell` must be \(fewest, most\).*Received \(5, 4\)"),
        ({"goal_jitter": 0.5}, r"`goal_jitter` must be in \[0, 0.5\)"),
        ({"tolerance": 0.0}, r"`tolerance` must be in \(0, 0.5\)"),
        ({"kp": 0.0}, "`kp` must be above 0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        WaypointSettings(**settings)


def test_the_controller_avoids_cells():
    assert controller(RING, goal=(1.0, 1.0), action_noise=0.0).act(at(-1.0, 1.0)).tolist() == [1.0, 0.0]
    careful = controller(RING, goal=(1.0, 1.0), action_noise=0.0, avoid=((1, 2),))
    assert careful.act(at(-1.0, 1.0)).tolist() == [0.0, -1.0]
    with pytest.raises(ValueError, match=r"not contain the cell of the goal. Received \[\(1, 3\)\]"):
        controller(RING, goal=(1.0, 1.0), avoid=((1, 3),))
