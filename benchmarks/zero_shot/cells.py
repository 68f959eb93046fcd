"""Cells of the zero-shot benchmark: one training each, and its evaluation on all tasks.

`COLUMNS`   columns of the csv
`METHODS`   methods that reach goals or follow rewards
`Budget`    sizes of trainings and evaluations
`Cell`      environment, method and seed
`run_cell`  one training, and its values on all tasks
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol

from benchmarks.zero_shot.worlds import WORLDS, World
from rlpriors.agents import (
    BehaviorCloning,
    BehaviorCloningPolicy,
    OfflineSettings,
    RandomPolicy,
    SuccessorFeatureAgent,
    SuccessorFeaturePolicy,
    ZeroShotSettings,
    add_hindsight_goals,
    make_offline_algorithm,
)
from rlpriors.agents.offline.zero_shot.policy import FEATURES
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.envs.maze.point_maze import OBS_KEYS
from rlpriors.evaluation.rewards.return_correlation import episode_returns
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy

__all__ = ["COLUMNS", "METHODS", "Budget", "Cell", "run_cell"]

COLUMNS = ("env", "features", "task", "seed", "metric", "value")
METHODS = (*FEATURES, "goal-cloning", "random-actions", "iql")
"""Features of zero-shot agents, and references: cloning (goals only), random actions, and IQL, which is
trained anew on each reward."""

Values = list[tuple[str, str, float]]
"""Task, metric and value of each result."""


class Budget(NamedTuple):
    """Sizes of trainings and evaluations."""

    updates: int = 20_000
    """Number of updates of a zero-shot agent and of cloning."""
    iql_updates: int = 10_000
    """Number of updates of IQL on each reward."""
    n_goals: int = 50
    """Number of goals, one episode each."""
    n_episodes: int = 10
    """Number of episodes for each reward."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the environment, of `WORLDS`."""
    method: str
    """One of `METHODS`."""
    seed: int
    """Random seed of data, training and evaluation."""
    budget: Budget
    """Sizes of trainings and evaluations."""
    reward: Path | None
    """Folder of a learned reward."""

    @property
    def file(self) -> str:
        """Name of the file of the cell's results."""
        return f"{self.env}-{self.method}-seed{self.seed}-{'-'.join(map(str, self.budget))}.json"


def run_cell(cell: Cell, runs: Path) -> Values:
    """Train and evaluate; an interrupted training continues from its checkpoint in `runs`."""
    torch.set_num_threads(1)
    world, seed = WORLDS[cell.env](), cell.seed
    data = world.load_data(runs, cell.env, seed)
    folder = runs / Path(cell.file).stem
    space = world.task.env_factory().action_space
    rewards = world.rewards(cell.reward)
    train = partial(_train, folder=folder)
    if cell.method == "iql":
        values: Values = []
        for name, reward in rewards.items():
            policy = _iql(data.relabel(reward), space, seed, partial(train, name=name), cell.budget)
            values += _returns(world, policy, name, reward, cell)
        return values
    if cell.method == "random-actions":
        still = RandomPolicy(space, seed)
        values = _goal_values(world, lambda goals: still, cell)
        return values + [row for name, r in rewards.items() for row in _returns(world, still, name, r, cell)]
    if cell.method == "goal-cloning":
        clone = _clone(data, space, seed, partial(train, name="cloning"), cell.budget)
        return _goal_values(world, lambda goals: _WithGoals(clone, goals), cell)
    features: Any = cell.method
    settings = ZeroShotSettings(features, dim=16, hidden=(128, 128), bc_weight=0.3)
    skills = SuccessorFeaturePolicy.fit(
        data, space, settings=settings, task_entries=(0, 1), obs_keys=OBS_KEYS, device="cpu", seed=seed
    )
    agent = SuccessorFeatureAgent(policy=skills, optim=AdamOptimizerFactory(lr=1e-3), seed=seed)
    train(agent, data, name="skills", n_updates=cell.budget.updates)

    def reach(goals: np.ndarray) -> Policy:
        skills.reach(goals)
        return skills

    values = _goal_values(world, reach, cell)
    for name, reward in rewards.items():
        skills.follow(skills.infer_z(reward=reward, data=data, seed=seed))
        values += _returns(world, skills, name, reward, cell)
    return values


def _train(algorithm: Any, data: EpisodeStore, *, folder: Path, name: str, n_updates: int) -> None:
    train_offline(
        algorithm,
        to_buffer(data),
        folder=folder,
        name=name,
        n_updates=n_updates,
        batch_size=256,
        epoch_updates=min(500, n_updates),
        resume=True,
        tracker="csv",
    )


def _iql(data: EpisodeStore, space: Any, seed: int, train: Callable[..., None], budget: Budget) -> Policy:
    import gymnasium as gym

    box = gym.spaces.Box(-np.inf, np.inf, data.obs.shape[1:], np.float32)
    iql = make_offline_algorithm(
        box, space, OfflineSettings(), obs_normalizer=Normalizer.gaussian(data.obs), device="cpu", seed=seed
    )
    train(iql, data, n_updates=budget.iql_updates)
    return _Leaf(iql.policy)


def _clone(
    data: EpisodeStore, space: Any, seed: int, train: Callable[..., None], budget: Budget
) -> BehaviorCloningPolicy:
    with_goals = add_hindsight_goals(data, 0.98, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = BehaviorCloningPolicy.fit(with_goals, space, hidden=(128, 128), device="cpu")
    cloning = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=seed)
    train(cloning, with_goals, n_updates=budget.updates)
    return policy


class _Leaf(Policy):
    """Policy of vectors that reads the leaf of the maze's observations."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(action_space=policy.action_space, action_scaling=False, action_bound_method=None)
        self.policy = policy.eval()

    def forward(self, batch: ObsBatchProtocol, state: Any = None, **kwargs: Any) -> ModelOutputBatchProtocol:
        out: Any = self.policy(Batch(obs=self.read(batch.obs), info={}))
        act = self.policy.map_action(out.act)
        return cast(ModelOutputBatchProtocol, Batch(logits=act, act=act, state=None))

    def read(self, obs: Any) -> np.ndarray:
        """Return the vectors that the policy reads."""
        return np.asarray(obs[OBS_KEYS[0]], np.float32)


class _WithGoals(_Leaf):
    """Clone that reads the observations together with one goal for each environment."""

    def __init__(self, policy: Policy, goals: np.ndarray) -> None:
        super().__init__(policy)
        self.goals = goals

    def read(self, obs: Any) -> np.ndarray:
        return np.concatenate([super().read(obs), self.goals], 1)


def _goal_values(world: World, reach: Callable[[np.ndarray], Policy], cell: Cell) -> Values:
    """Return the success on all goals, and on those far from the start if there are any."""
    goals = world.goals(cell.budget.n_goals, cell.seed)
    episodes = evaluate_policy(
        reach(goals), world.task.env_factory, len(goals), seed=cell.seed, obs_keys=OBS_KEYS
    )
    rows = [episodes.episode(i).obs[:, :2] for i in range(len(goals))]
    # Episodes are in the order of their environments, because all have the same length.
    reached = np.array(
        [
            (np.linalg.norm(row - goal[:2], axis=1) <= world.task.goal_radius).any()
            for row, goal in zip(rows, goals, strict=True)
        ]
    )
    far = world.opposite(np.array([row[0] for row in rows]), goals)
    values: Values = [("goal", "success", float(reached.mean()))]
    return [*values, ("goal-opposite", "success", float(reached[far].mean()))] if far.any() else values


def _returns(world: World, policy: Policy, name: str, reward: Any, cell: Cell) -> Values:
    """Return the mean return of a policy by one reward."""
    episodes = evaluate_policy(
        policy, world.task.env_factory, cell.budget.n_episodes, seed=1000 + cell.seed, obs_keys=OBS_KEYS
    )
    return [(f"reward:{name}", "return", float(episode_returns(reward, episodes).mean()))]
