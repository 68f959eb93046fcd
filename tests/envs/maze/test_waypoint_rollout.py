"""Rollouts of the waypoint controller: episodes, seeds, workers and errors."""

import os
from functools import partial
from multiprocessing import parent_process

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointSettings
from rlpriors.envs.maze.maze import Maze
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout

pytest.importorskip("gymnasium_robotics", reason="needs the `maze` extra")


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


def test_episodes_are_whole_and_fit_the_store():
    episodes = waypoint_rollout(make_maze, 2, WaypointSettings(max_episode_steps=40), seed=0, progress=False)
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
    (episode,) = waypoint_rollout(
        make_maze, 1, WaypointSettings(max_episode_steps=30), seed=5, progress=False
    )
    env = make_maze()
    maze = Maze.from_env(env)
    cell = maze.cell_of(tuple(episode.obs["achieved_goal"][0].tolist()))
    obs, _ = env.reset(seed=episode.seed, options={"reset_cell": np.array(cell)})
    for step, act in enumerate(episode.act):
        np.testing.assert_array_equal(obs["observation"], episode.obs["observation"][step])
        obs, rew, *_ = env.step(act)
        assert rew == episode.rew[step]


def test_demonstrations_reach_their_goal_and_stay():
    settings = WaypointSettings(goal=(-1.0, -1.0), max_episode_steps=220)
    for episode in waypoint_rollout(make_maze, 4, settings, seed=1, progress=False):
        away = np.linalg.norm(episode.obs["achieved_goal"][-30:] - [-1.0, -1.0], axis=1)
        assert away.max() < 0.1


def test_prior_data_covers_the_maze_and_rests_somewhere():
    episodes = waypoint_rollout(make_maze, 8, seed=0, progress=False)
    xy = np.concatenate([episode.obs["achieved_goal"] for episode in episodes])
    speed = np.concatenate([np.hypot(*episode.obs["observation"][:, 2:].T) for episode in episodes])
    maze = Maze.from_env(make_maze())
    assert {maze.cell_of(tuple(point)) for point in xy.tolist()} == set(maze.free_cells)
    assert 0.2 < (speed < 0.5).mean() < 0.8


def test_the_environments_own_end_ends_the_episode():
    make = partial(make_maze, max_episode_steps=7)
    (episode,) = waypoint_rollout(make, 1, seed=0, progress=False)
    assert np.flatnonzero(episode.truncated).tolist() == [6]


def test_starts_only_where_a_way_leads_to_the_goal():
    make = partial(make_maze, maze_map=[[1, 1, 1, 1, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]])
    settings = WaypointSettings(goal=(1.0, 0.0), max_episode_steps=2)
    for episode in waypoint_rollout(make, 4, settings, seed=0, progress=False):
        assert episode.obs["achieved_goal"][0, 0] > 0.5


def equal(a, b):
    return all(np.array_equal(a.obs[key], b.obs[key]) for key in a.obs) and all(
        np.array_equal(left, right) for left, right in zip(a[1:], b[1:], strict=True)
    )


def test_result_depends_on_the_seed_alone():
    settings = WaypointSettings(max_episode_steps=20)
    alone = waypoint_rollout(make_maze, 4, settings, seed=7, progress=False)
    fewer = waypoint_rollout(make_maze, 2, settings, seed=7, progress=False)
    other = waypoint_rollout(make_maze, 2, settings, seed=8, progress=False)
    assert all(map(equal, alone, fewer))
    assert not any(map(equal, alone, other))


@pytest.mark.slow  # two processes import torch and mujoco
def test_result_does_not_depend_on_workers(capfd):
    settings = WaypointSettings(max_episode_steps=20)
    alone = waypoint_rollout(make_maze, 5, settings, seed=7, progress=False)
    shared = waypoint_rollout(make_maze, 5, settings, seed=7, n_workers=2)
    assert len(shared) == 5
    assert all(map(equal, alone, shared))
    assert "5/5" in capfd.readouterr().err


@pytest.mark.slow  # a process imports torch
def test_a_worker_that_dies_is_an_error():
    with pytest.raises(RuntimeError, match=r"A rollout worker died.*`n_workers=0` shows errors"):
        waypoint_rollout(make_maze_only_here, 1, seed=0, n_workers=1, progress=False)


@pytest.mark.parametrize(
    ("make_env", "settings", "arguments", "message"),
    [
        (make_maze, {"goal": (0.0, 0.0)}, {}, r"`goal` must be in free space. Received \(0.0, 0.0\)"),
        (make_maze, {"goal": (9.0, 0.0)}, {}, "`goal` must be in free space"),
        (make_cartpole, {}, {}, "`make_env` must return a point maze.*Received Box"),
        (lambda: make_maze(), {}, {"n_workers": 2}, "`make_env` must be picklable when `n_workers` > 0"),
        (make_maze, {}, {"n_workers": -1}, "`n_workers` and `seed` at least 0. Received 1, -1 and 0"),
        (make_maze, {}, {"n_episodes": 0}, "`n_episodes` must be at least 1"),
        (make_maze, {}, {"seed": -1}, "`seed` at least 0"),
    ],
)
def test_rollout_errors_say_what_to_do(make_env, settings, arguments, message):
    arguments = {"n_episodes": 1, "seed": 0, "progress": False} | arguments
    with pytest.raises(ValueError, match=message):
        waypoint_rollout(make_env, settings=WaypointSettings(**settings), **arguments)


def test_starts_are_where_they_are_told():
    settings = WaypointSettings(max_episode_steps=2, starts=((1, 1), (3, 1)))
    starts = [
        e.obs["achieved_goal"][0] for e in waypoint_rollout(make_maze, 6, settings, seed=0, progress=False)
    ]
    assert {(round(x), round(y)) for x, y in starts} == {(-1, 1), (-1, -1)}
    with pytest.raises(ValueError, match=r"`starts` must be free cells .* Received \(2, 2\)"):
        waypoint_rollout(make_maze, 1, WaypointSettings(starts=((2, 2),)), seed=0, progress=False)
