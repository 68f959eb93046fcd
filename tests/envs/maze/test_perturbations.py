"""Changed worlds: factors on masses and gravity, chosen cells, new walls."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.envs.maze.perturbations import FixedStartsAndGoals, PerturbedDynamics, add_walls
from rlpriors.envs.maze.point_maze import make_point_maze

RING = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]


def test_masses_and_gravity_are_those_times_the_factors():
    usual = gym.make("InvertedPendulum-v5").unwrapped.model
    env = PerturbedDynamics(gym.make("InvertedPendulum-v5"), mass=3.0, gravity=0.0)
    changed = env.unwrapped.model
    np.testing.assert_allclose(changed.body_mass, 3 * usual.body_mass)
    np.testing.assert_allclose(changed.body_inertia, 3 * usual.body_inertia)
    assert not changed.opt.gravity.any()
    env.reset(seed=0)
    np.testing.assert_allclose(changed.body_mass, 3 * usual.body_mass)  # a reset changes nothing


def test_a_heavier_point_moves_less():
    traveled = []
    for mass in (1.0, 4.0):
        env = PerturbedDynamics(FixedStartsAndGoals(make_point_maze(), starts=[(1, 1)]), mass=mass)
        start = env.reset(seed=0)[0]["observation"][0]
        for _ in range(5):
            obs = env.step(np.array([1.0, 0.0], np.float32))[0]
        traveled.append(obs["observation"][0] - start)
    assert 0 < traveled[1] < 0.5 * traveled[0]


def test_a_maze_starts_and_pays_where_told():
    env = FixedStartsAndGoals(make_point_maze(), starts=[(1, 1), (3, 1)], goals=[(3, 3)])
    starts = []
    for seed in range(12):
        obs, _ = env.reset(seed=seed)
        starts.append(tuple(np.round(obs["observation"][:2])))
        assert np.abs(obs["desired_goal"] - [1, -1]).max() < 0.5
    assert set(starts) == {(-1.0, 1.0), (-1.0, -1.0)}
    again = [tuple(np.round(env.reset(seed=seed)[0]["observation"][:2])) for seed in range(12)]
    assert again == starts


def test_a_ring_stays_a_way_when_blocked_once_and_not_twice():
    assert add_walls(RING, [(1, 2)])[1] == [1, 0, 1, 0, 1]
    assert RING[1] == [1, 0, 0, 0, 1]
    with pytest.raises(ValueError, match="must leave all free cells connected"):
        add_walls(RING, [(1, 2), (3, 2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerturbedDynamics(gym.make("CartPole-v1")), "`env` must be a MuJoCo environment"),
        (lambda: PerturbedDynamics(gym.make("CartPole-v1"), mass=0.0), "`mass` must be a finite factor"),
        (lambda: PerturbedDynamics(gym.make("CartPole-v1"), gravity=-1.0), "`gravity` must be"),
        (
            lambda: FixedStartsAndGoals(make_point_maze(), starts=[(0, 0)]),
            r"`starts` must be free cells.*\(0, 0\)",
        ),
        (lambda: FixedStartsAndGoals(make_point_maze(), goals=[(2, 1)]), r"`goals` must be free cells"),
        (lambda: FixedStartsAndGoals(gym.make("CartPole-v1")), "`env` must be a maze"),
        (lambda: add_walls(RING, [(2, 2)]), r"`cells` must be free cells.*Received \(2, 2\)"),
    ],
)
def test_what_does_not_fit_is_told(make, message):
    with pytest.raises(ValueError, match=message):
        make()
