import os
from functools import partial
from multiprocessing import parent_process

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings, rollout
from rlpriors.envs.maze.maze import Maze

pytest.importorskip("gymnasium_robotics", reason="needs the `maze` extra")

CORRIDOR = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


def make_maze(name="UMaze", **kwargs):
    import gymnasium_robotics  # in the function: worker processes need the registration too

    gym.register_envs(gymnasium_robotics)
    return gym.make(f"PointMaze_{name}-v3", disable_env_checker=True, **kwargs)


def make_maze_only_here():
    if parent_process() is not None:
        os._exit(1)
    return make_maze()


def make_cartpole():
    return gym.make("CartPole-v1")


def controller(maze_map=CORRIDOR, seed=0, **settings):
    return WaypointController(Maze(maze_map), WaypointSettings(**settings), np.random.default_rng(seed))


def at(x, y, vx=0.0, vy=0.0):
    return np.array([x, y, vx, vy])


def test_action_by_hand():
    # In the goal's cell: 10 * (1.0 - 0.98) - 1 * 0.1 = 0.1 and 10 * (0.0 - 0.01) + 1 * 0.05 = -0.05.
    act = controller(goal=(1.0, 0.0), noise=0.0).act(at(0.98, 0.01, 0.1, -0.05))
    assert act.dtype == np.float32
    np.testing.assert_allclose(act, [0.1, -0.05], rtol=1e-6)
    # One cell away the pull is clipped; two cells away it goes to the center between.
    assert controller(goal=(1.0, 0.2), noise=0.0).act(at(0.0, 0.0)).tolist() == [1.0, 1.0]
    np.testing.assert_allclose(
        controller(goal=(1.0, 0.2), noise=0.0).act(at(-1.0, 0.01)), [1.0, -0.1], rtol=1e-6
    )


def test_turns_only_near_a_cells_center():
    bend = [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]]
    drive = controller(bend, goal=(0.5, -0.5), noise=0.0)
    assert drive.act(at(-0.5, 0.5))[0] == 1.0
    # Over the border, 0.3 before the bend's center: still straight on.  At 0.1 before it: down.
    assert drive.act(at(0.2, 0.5)).tolist() == [1.0, 0.0]
    assert drive.act(at(0.4, 0.5)).tolist() == [1.0, -1.0]


def test_finds_a_new_way_when_pushed_off():
    drive = controller([[1] * 6, [1, 0, 0, 0, 0, 1], [1] * 6], goal=(1.5, 0.0), noise=0.0)
    drive.act(at(0.5, 0.0))
    assert drive.act(at(-1.5, 0.2)).tolist() == [1.0, -1.0]  # to the center of the next cell, y = 0


def test_rests_at_a_goal_and_then_goes_to_another():
    drive = controller(noise=0.0, dwell=(3, 3))
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
    drive = controller(goal=(0.0, 0.0), noise=0.1, seed=1)
    acts = np.stack([drive.act(at(0.0, 0.0)) for _ in range(2000)])
    np.testing.assert_allclose(acts.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(acts.std(0), 0.1, atol=0.01)


def test_rests_where_it_is_in_a_maze_of_one_cell():
    drive = controller([[0]], noise=0.0)
    for _ in range(400):
        assert np.abs(drive.act(at(0.0, 0.0))).max() <= 1
    assert np.abs(drive.goal).max() <= 0.25


@pytest.mark.parametrize("name", ["UMaze", "Medium", "Large"])
def test_reaches_far_cells_in_the_simulator(name):
    env = make_maze(name, max_episode_steps=10_000)
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
    env = make_maze("Large")
    maze = Maze.from_env(env)
    for cell in maze.free_cells:
        assert maze.center_of(cell) == pytest.approx(env.unwrapped.maze.cell_rowcol_to_xy(np.array(cell)))


def test_episodes_are_whole_and_fit_the_store():
    episodes = rollout(make_maze, 2, WaypointSettings(max_steps=40), seed=0, progress=False)
    for episode in episodes:
        assert {key: leaf.shape for key, leaf in episode.obs.items()} == {
            "observation": (41, 4),
            "achieved_goal": (41, 2),
            "desired_goal": (41, 2),
        }
        assert episode.act.shape == (40, 2)
        assert episode.act.dtype == np.float32
        assert not episode.terminated.any()
        assert np.flatnonzero(episode.truncated).tolist() == [39]
    assert episodes[0].seed != episodes[1].seed
    store = EpisodeStore.from_episodes(episodes, obs_keys=["observation"])
    assert (store.n_episodes, store.n_steps, store.obs.shape) == (2, 80, (82, 4))


def test_actions_replay_to_the_same_observations():
    (episode,) = rollout(make_maze, 1, WaypointSettings(max_steps=30), seed=5, progress=False)
    env = make_maze()
    maze = Maze.from_env(env)
    cell = maze.cell_of(tuple(episode.obs["achieved_goal"][0].tolist()))
    obs, _ = env.reset(seed=episode.seed, options={"reset_cell": np.array(cell)})
    for step, act in enumerate(episode.act):
        np.testing.assert_array_equal(obs["observation"], episode.obs["observation"][step])
        obs, rew, *_ = env.step(act)
        assert rew == episode.rew[step]


def test_demonstrations_reach_their_goal_and_stay():
    settings = WaypointSettings(goal=(-1.0, -1.0), max_steps=220)
    for episode in rollout(make_maze, 4, settings, seed=1, progress=False):
        away = np.linalg.norm(episode.obs["achieved_goal"][-30:] - [-1.0, -1.0], axis=1)
        assert away.max() < 0.1


def test_prior_data_covers_the_maze_and_rests_somewhere():
    episodes = rollout(make_maze, 8, seed=0, progress=False)
    xy = np.concatenate([episode.obs["achieved_goal"] for episode in episodes])
    speed = np.concatenate([np.hypot(*episode.obs["observation"][:, 2:].T) for episode in episodes])
    maze = Maze.from_env(make_maze())
    assert {maze.cell_of(tuple(point)) for point in xy.tolist()} == set(maze.free_cells)
    assert 0.2 < (speed < 0.5).mean() < 0.8


def test_the_environments_own_end_ends_the_episode():
    make = partial(make_maze, max_episode_steps=7)
    (episode,) = rollout(make, 1, seed=0, progress=False)
    assert np.flatnonzero(episode.truncated).tolist() == [6]


def test_starts_only_where_a_way_leads_to_the_goal():
    make = partial(make_maze, maze_map=[[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]])
    settings = WaypointSettings(goal=(1.0, 0.0), max_steps=2)
    for episode in rollout(make, 4, settings, seed=0, progress=False):
        assert episode.obs["achieved_goal"][0, 0] > 0.5


def equal(a, b):
    return all(np.array_equal(a.obs[key], b.obs[key]) for key in a.obs) and all(
        np.array_equal(left, right) for left, right in zip(a[1:], b[1:], strict=True)
    )


def test_result_depends_on_the_seed_alone():
    settings = WaypointSettings(max_steps=20)
    alone = rollout(make_maze, 4, settings, seed=7, progress=False)
    fewer = rollout(make_maze, 2, settings, seed=7, progress=False)
    other = rollout(make_maze, 2, settings, seed=8, progress=False)
    assert all(map(equal, alone, fewer))
    assert not any(map(equal, alone, other))


@pytest.mark.slow  # two processes import torch and mujoco
def test_result_does_not_depend_on_workers(capfd):
    settings = WaypointSettings(max_steps=20)
    alone = rollout(make_maze, 5, settings, seed=7, progress=False)
    shared = rollout(make_maze, 5, settings, seed=7, workers=2)
    assert len(shared) == 5
    assert all(map(equal, alone, shared))
    assert "5/5" in capfd.readouterr().err


@pytest.mark.slow  # a process imports torch
def test_a_worker_that_dies_is_an_error():
    with pytest.raises(RuntimeError, match=r"A rollout worker died.*`workers=0` shows errors"):
        rollout(make_maze_only_here, 1, seed=0, workers=1, progress=False)


@pytest.mark.parametrize(
    ("make_env", "settings", "arguments", "message"),
    [
        (make_maze, {"goal": (0.0, 0.0)}, {}, r"`goal` must be in free space. Received \(0.0, 0.0\)"),
        (make_maze, {"goal": (9.0, 0.0)}, {}, "`goal` must be in free space"),
        (make_cartpole, {}, {}, "`make_env` must make a point maze.*Received Box"),
        (lambda: make_maze(), {}, {"workers": 2}, "`make_env` must be picklable when `workers` > 0"),
        (make_maze, {}, {"workers": -1}, "`workers` and `seed` at least 0. Received 1, -1 and 0"),
        (make_maze, {}, {"n_episodes": 0}, "`n_episodes` must be at least 1"),
        (make_maze, {}, {"seed": -1}, "`seed` at least 0"),
    ],
)
def test_rollout_errors_say_what_to_do(make_env, settings, arguments, message):
    arguments = {"n_episodes": 1, "seed": 0, "progress": False} | arguments
    with pytest.raises(ValueError, match=message):
        rollout(make_env, settings=WaypointSettings(**settings), **arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_steps": 0}, "`max_steps` must be at least 1. Received 0"),
        ({"noise": -0.1}, "`noise` must be at least 0"),
        ({"dwell": (5, 4)}, r"`dwell` must be \(fewest, most\).*Received \(5, 4\)"),
        ({"goal_jitter": 0.5}, r"`goal_jitter` must be in \[0, 0.5\)"),
        ({"tolerance": 0.0}, r"`tolerance` must be in \(0, 0.5\)"),
        ({"kp": 0.0}, "`kp` must be above 0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        WaypointSettings(**settings)


RING = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


def test_the_controller_avoids_cells():
    assert controller(RING, goal=(1.0, 1.0), noise=0.0).act(at(-1.0, 1.0)).tolist() == [1.0, 0.0]
    careful = controller(RING, goal=(1.0, 1.0), noise=0.0, avoid=((1, 2),))
    assert careful.act(at(-1.0, 1.0)).tolist() == [0.0, -1.0]
    with pytest.raises(ValueError, match=r"`avoid` must not hold the goal's cell. Received \[\(1, 3\)\]"):
        controller(RING, goal=(1.0, 1.0), avoid=((1, 3),))


def test_starts_are_where_they_are_told():
    settings = WaypointSettings(max_steps=2, starts=((1, 1), (3, 1)))
    starts = [e.obs["achieved_goal"][0] for e in rollout(make_maze, 6, settings, seed=0, progress=False)]
    assert {(round(x), round(y)) for x, y in starts} == {(-1, 1), (-1, -1)}
    with pytest.raises(ValueError, match=r"`starts` must be free cells .* Received \(2, 2\)"):
        rollout(make_maze, 1, WaypointSettings(starts=((2, 2),)), seed=0, progress=False)
