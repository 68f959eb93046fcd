"""Goals in a U-shaped maze, learned from random walks: the regression test of all features."""

import gymnasium as gym
import numpy as np
import pytest
import torch
import u_maze
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch

from rlpriors.agents import (
    BehaviorCloning,
    BehaviorCloningPolicy,
    SuccessorFeatureAgent,
    SuccessorFeaturePolicy,
    ZeroShotSettings,
    add_hindsight_goals,
)

SPACE = gym.spaces.Box(-1, 1, (2,))


def learned(train, name, seed: int, updates: int, n_walks: int = 600, hidden=(128, 128), tau: float = 0.05):
    """A policy that has learned from random walks, as a function of positions and goals."""
    data = u_maze.random_walks(n_walks, seed=seed)
    settings = ZeroShotSettings(name, dim=16, hidden=hidden, tau=tau)
    policy = SuccessorFeaturePolicy.fit(data, SPACE, settings=settings, device="cpu", seed=seed)
    train(
        SuccessorFeatureAgent(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=seed),
        data,
        updates,
        batch_size=256,
    )

    def act(xy: np.ndarray, goals: np.ndarray) -> np.ndarray:
        policy.reach(goals)
        return policy(Batch(obs=xy.astype(np.float32), info={})).act

    return act


def rates(act, seed: int) -> tuple[float, float]:
    """Success on all goals, and on those in the opposite arm."""
    starts, goals = u_maze.pairs(400, seed)
    reached = u_maze.successes(act, starts, goals)
    return float(reached.mean()), float(reached[u_maze.opposite(starts, goals)].mean())


def test_walls_stop_a_point_and_random_walks_do_not_cross_them() -> None:
    above = np.array([[0.95, 2.0], [0.95, 0.5]])
    np.testing.assert_allclose(u_maze.move(above, np.ones((2, 2))), [[0.95, 2.2], [1.15, 0.7]])
    data = u_maze.random_walks(20)
    assert u_maze.free(data.obs).all()
    assert data.truncated.sum() == 20


def test_hilp_reaches_more_goals_than_random_actions_after_few_updates(train) -> None:
    rng = np.random.default_rng(0)
    chance, _ = rates(lambda xy, goals: rng.uniform(-1, 1, xy.shape), 0)
    reached, _ = rates(learned(train, "hilp", 0, updates=200, n_walks=200, hidden=(64,)), 0)
    assert chance < 0.3
    assert reached > chance + 0.2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hilp_reaches_the_opposite_arm(train) -> None:
    reached = np.array([rates(learned(train, "hilp", seed, updates=4000), seed) for seed in range(3)])
    every, opposite = reached.mean(0)
    assert every > 0.9
    assert opposite > 0.7
    assert reached[:, 0].min() > 0.85
    assert reached[:, 1].min() > 0.5


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_td_jepa_reaches_more_goals_than_cloning_and_random_actions(train) -> None:
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        chance = rates(lambda xy, goals, rng=rng: rng.uniform(-1, 1, xy.shape), seed)
        cloned = rates(cloned_goals(train, seed), seed)
        found.append((chance, cloned, rates(learned(train, "td-jepa", seed, updates=6000, tau=0.01), seed)))
    chance, cloned, reached = np.array(found).mean(0)
    assert chance[0] < 0.3 < cloned[0] < reached[0]
    assert cloned[1] < 0.1 < reached[1]
    assert reached[0] > 0.7


def cloned_goals(train, seed: int):
    """A clone of random walks toward goals in hindsight, as a function of positions and goals."""
    data = add_hindsight_goals(u_maze.random_walks(seed=seed), 0.98, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = BehaviorCloningPolicy.fit(data, SPACE, device="cpu")
    cloning = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=seed)
    train(cloning, data, 3000, batch_size=256)

    def act(xy: np.ndarray, goals: np.ndarray) -> np.ndarray:
        return policy(Batch(obs=np.concatenate([xy, goals], 1).astype(np.float32), info={})).act

    return act
