"""The demo's world: where its goal is, how far it is, what counts as being there, and acting in it."""

import re
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, PlannerSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask, make_point_maze, make_task
from rlpriors.networks import build_denoiser
from rlpriors.training.rollout import evaluate_policy


@pytest.fixture(scope="module")
def task() -> PointMazeTask:
    return make_task(max_episode_steps=20)


# ---------------------------------------------------------------- the maze and its goal


def test_the_task(task) -> None:
    assert task.goal == (-1.0, -1.0)
    assert task.maze.free.tolist() == [
        [False, False, False, False, False],
        [False, True, True, True, False],
        [False, False, False, True, False],
        [False, True, True, True, False],
        [False, False, False, False, False],
    ]
    # There, straight ahead, and around both corners of the wall's end, (0.5, 0.5) and (0.5, -0.5).
    xy = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], np.float32)
    around = 2 * np.hypot(1.5, 0.5) + 1
    assert task.distance(xy) == pytest.approx([0.0, 2.0, around], abs=1e-6)


@pytest.mark.parametrize("goal", [(0.0, 0.0), (5.0, 5.0)])
def test_a_goal_must_be_in_free_space(goal) -> None:
    with pytest.raises(
        ValueError, match=re.escape(f"`goal` must be in free space. Received {goal}, which is in a wall")
    ):
        make_task(goal)


def test_the_environment_never_terminates() -> None:
    env = make_point_maze(12, render_mode=None)
    assert isinstance(env.observation_space, gym.spaces.Dict)
    env.reset(seed=0, options={"reset_cell": np.array([3, 1]), "goal_cell": np.array([3, 1])})
    ends = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(12)]  # beside its own goal
    env.close()
    assert ends == [(False, False)] * 11 + [(False, True)]


# ---------------------------------------------------------------- the true reward


def reward(task: PointMazeTask, xy: torch.Tensor, weight: float) -> torch.Tensor:
    obs = torch.cat([xy, torch.full_like(xy, 7.0)], dim=1)  # velocities do not matter
    nothing = torch.zeros(len(xy), 2)
    return task.oracle(weight)(obs, nothing, torch.zeros_like(obs), torch.zeros(len(xy), dtype=torch.bool))


def test_the_oracle_is_the_distance_at_the_points_of_its_grid(task) -> None:
    ticks = np.linspace(-2.5, 2.5, 101)[1:-1:3]
    xy = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 2)
    given = reward(task, torch.tensor(xy, dtype=torch.float32), 0.25)
    assert given.numpy() == pytest.approx(-0.25 * task.maze.geodesic(xy, task.goal), abs=1e-4)


def test_the_oracle_between_its_points_and_beyond_the_map(task) -> None:
    xy = task.maze.grid(0.07, margin=0.1)
    given = reward(task, torch.tensor(xy, dtype=torch.float32), 1.0)
    assert given.numpy() == pytest.approx(-task.distance(xy), abs=0.02)
    edge, beyond = reward(task, torch.tensor([[2.5, -1.0], [40.0, -1.0]]), 1.0)
    assert edge == beyond


def test_the_oracle_pulls_along_the_way(task) -> None:
    xy = torch.tensor([[0.5, -1.0], [-1.0, 1.0], [1.2, 0.0]], requires_grad=True)
    reward(task, xy, 0.5).sum().backward()
    pull = xy.grad
    assert pull is not None
    # 0.5 towards the goal, and where the wall is between towards its corners (0.5, 0.5) and (0.5, -0.5).
    ways = np.array([[-1.5, 0.0], [1.5, -0.5], [-0.7, -0.5]])
    ways *= 0.5 / np.linalg.norm(ways, axis=1, keepdims=True)
    assert pull.numpy() == pytest.approx(ways, abs=0.03)


# ---------------------------------------------------------------- being there


def episode(*places: float) -> Episode:
    """Visits x = -1 + place at the goal's height."""
    obs = np.array([[-1.0 + place, -1.0, 0.0, 0.0] for place in places])
    steps = len(places) - 1
    end = np.arange(steps) == steps - 1
    return Episode(obs, np.zeros((steps, 2)), np.zeros(steps), np.zeros(steps, bool), end)


def test_reached_and_stayed(task) -> None:
    task = replace(task, stay_steps=3, goal_radius=0.45)
    cases = [  # (away at each observation, reached, stayed)
        (episode(2.0, 1.0, 0.0, -0.44, 0.44), True, True),
        (episode(0.0, 0.0, 0.0, 1.0, 2.0), True, False),
        (episode(0.0, 0.0, 0.46, 0.0, 0.0), True, False),
        (episode(2.0, 2.0, 2.0, 2.0, 0.1), True, False),
        (episode(0.46, 0.5, -0.46, 0.5), False, False),
        (episode(0.1, 0.2), True, True),  # shorter than `last`: all of it counts
    ]
    store = EpisodeStore.from_episodes(case[0] for case in cases)
    assert task.reached(store).tolist() == [case[1] for case in cases]
    assert task.stayed(store).tolist() == [case[2] for case in cases]


def test_the_radius_is_a_circle(task) -> None:
    diagonal = episode(0.0, 0.0)
    diagonal.obs[:, :2] += 0.4  # 0.57 away
    assert not task.reached(EpisodeStore.from_episodes([diagonal])).any()


def test_demonstrations_go_to_the_goal_and_stay() -> None:
    task = make_task((1.0, 1.0), max_episode_steps=250)
    store = task.demonstrations(3, seed=5)
    assert (store.n_episodes, store.n_steps) == (3, 750)
    assert task.reached(store).all()
    assert task.stayed(store).all()
    starts = np.stack([store.episode(i).obs[0, :2] for i in range(3)])
    assert len(np.unique(starts.round(2), axis=0)) == 3
    assert np.array_equal(store.obs, task.demonstrations(3, seed=5).obs)
    assert not np.array_equal(store.obs, task.demonstrations(3, seed=6).obs)


def test_data_goes_anywhere(task) -> None:
    store = task.data(3, seed=1, n_workers=0)
    assert (store.n_episodes, store.n_steps, store.obs.shape[1]) == (3, 60, 4)
    assert task.maze.is_free(store.obs[:, :2].astype(np.float64)).all()
    assert np.array_equal(store.act, task.data(3, seed=1, n_workers=0).act)


# ---------------------------------------------------------------- acting


def make_policy(task: PointMazeTask) -> DiffuserPolicy:
    """Untrained: it plans noise."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = build_denoiser("mlp", horizon=4, dim=6, width=8, blocks=1)
        torch.nn.init.normal_(denoiser.leave.weight)  # by default it would plan nothing but zeros
    layout = TrajectoryLayout(4, 2, Normalizer.identity(4), Normalizer.identity(2))
    return DiffuserPolicy(
        denoiser=denoiser,
        process=DiffusionProcess(NoiseSchedule(10)),
        layout=layout,
        action_space=gym.spaces.Box(-1, 1, (2,)),
        planner=PlannerSettings(n_candidates=2, n_steps=2),
        execution_horizon=2,
        obs_keys=OBS_KEYS,
        device="cpu",
    )


def closed_loop(task, policy, n_episodes: int, seed: int) -> EpisodeStore:
    return evaluate_policy(policy, task.env_factory, n_episodes, seed=seed, env_seed=seed, obs_keys=OBS_KEYS)


def test_closed_loop_depends_on_its_seed_alone(task) -> None:
    policy = make_policy(task)
    first = closed_loop(task, policy, 3, seed=11)
    assert first.lengths.tolist() == [20, 20, 20]
    assert first.truncated.sum() == 3
    assert not first.terminated.any()
    assert np.abs(first.act).max() > 0
    starts = [first.episode(i).obs[0] for i in range(3)]
    assert not any(np.array_equal(starts[0], other) for other in starts[1:])

    policy.plan(np.zeros((2, 4)))  # noise that others used does not matter
    torch.rand(3)
    again = closed_loop(task, policy, 3, seed=11)
    assert np.array_equal(first.obs, again.obs)
    assert np.array_equal(first.act, again.act)
    assert not np.array_equal(first.obs, closed_loop(task, policy, 3, seed=12).obs)


def test_closed_loop_follows_the_policys_reward(task) -> None:
    policy = make_policy(task)
    free = closed_loop(task, policy, 2, seed=11)
    policy.reward = task.oracle()
    guided = closed_loop(task, policy, 2, seed=11)
    assert np.array_equal(free.obs[0], guided.obs[0])
    assert not np.array_equal(free.act, guided.act)
