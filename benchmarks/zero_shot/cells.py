"""Cells of the zero-shot benchmark: one training each, and its evaluation on all tasks.

`COLUMNS`   columns of the csv
`METHODS`   methods that reach goals or follow rewards
`Budget`    sizes of trainings and evaluations
`Cell`      environment, method and seed
`run_cell`  one training, and its values on all tasks
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.env import DummyVectorEnv

from benchmarks.zero_shot.learned_rewards import TRUTHS, learned_rewards
from benchmarks.zero_shot.references import WithGoals, clone_goals, train_iql
from benchmarks.zero_shot.worlds import WORLDS, World, load_data, vector_env
from rlpriors.agents import RandomPolicy, SuccessorFeatureAgent, SuccessorFeaturePolicy
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.return_correlation import episode_returns
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["COLUMNS", "METHODS", "Budget", "Cell", "run_cell", "train_skills"]

COLUMNS = ("env", "features", "task", "seed", "metric", "value")
METHODS = (
    *("hilp", "td-jepa", "forward-backward", "one-step", "random"),
    *("goal-cloning", "random-actions", "iql"),
)
"""Features of zero-shot agents, and references: cloning (goals only), random actions, and IQL, which is
trained anew on each reward."""

Values = list[tuple[str, str, float]]
"""Task, metric and value of each result."""


class Budget(NamedTuple):
    """Sizes of trainings and evaluations."""

    updates: int = 3_000
    """Number of updates of a zero-shot agent and of cloning."""
    iql_updates: int = 1_000
    """Number of updates of IQL on each reward."""
    n_episodes: int = 20
    """Number of episodes, of all goals and of each reward."""
    prior_updates: int = 600
    """Number of updates of the prior of a reward from demonstrations."""
    reward_updates: int = 300
    """Number of updates of each learned reward."""


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

    @property
    def file(self) -> str:
        """Name of the file of the cell's results."""
        return f"{self.env}-{self.method}-seed{self.seed}-{'-'.join(map(str, self.budget))}.json"


def run_cell(cell: Cell, runs: Path) -> Values:
    """Train and evaluate; an interrupted training continues from its checkpoint in `runs`."""
    torch.set_num_threads(1)
    world, budget, seed = WORLDS[cell.env](), cell.budget, cell.seed
    data = load_data(cell.env, runs, seed)
    learned = learned_rewards(
        cell.env, runs, prior_updates=budget.prior_updates, updates=budget.reward_updates
    )
    rewards: dict[str, RewardFn] = {**world.rewards(), **learned}
    evaluation = Evaluation(world, rewards, budget.n_episodes, seed)
    train = partial(train_in_folder, folder=runs / Path(cell.file).stem)
    if cell.method == "iql":
        values: Values = []
        for name, reward in rewards.items():
            labeled = data.relabel(reward)
            policy = train_iql(labeled, world, seed, partial(train, name=name), budget.iql_updates)
            values += evaluation.returns(policy, name)
        return values
    if cell.method == "random-actions":
        chance = RandomPolicy(cast(Any, data.action_space), seed)
        values = evaluation.successes(chance)
        return values + [row for name in rewards for row in evaluation.returns(chance, name)]
    if cell.method == "goal-cloning":
        cloned = clone_goals(data, world, seed, partial(train, name="cloning"), budget.updates)
        return evaluation.successes(WithGoals(cloned, evaluation.goals))
    skills = train_skills(cell, world, data, train)
    skills.reach(evaluation.goals)
    values = evaluation.successes(skills)
    for name, reward in rewards.items():
        skills.follow(skills.infer_z(reward=reward, data=data, seed=seed))
        values += evaluation.returns(skills, name)
    return values


def train_skills(
    cell: Cell, world: World, data: EpisodeStore, train: Callable[..., None]
) -> SuccessorFeaturePolicy:
    """Return the policy over skills of a cell, which is trained by `train`."""
    features: Any = cell.method
    skills = SuccessorFeaturePolicy.fit(
        data,
        cast(Any, data.action_space),
        settings=replace(world.settings, features=features),
        task_entries=world.task_entries,
        device="cpu",
        seed=cell.seed,
    )
    agent = SuccessorFeatureAgent(policy=skills, optim=AdamOptimizerFactory(lr=2e-3), seed=cell.seed)
    train(agent, data, name="skills", n_updates=cell.budget.updates)
    return skills.eval()


def train_in_folder(algorithm: Any, data: EpisodeStore, *, folder: Path, name: str, n_updates: int) -> None:
    """Train with checkpoints in a folder, and continue from the last one."""
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


class Evaluation:
    """Episodes from the same starts for all methods of a seed."""

    def __init__(self, world: World, rewards: dict[str, RewardFn], n_episodes: int, seed: int) -> None:
        self.world, self.rewards, self.seed, self.n = world, rewards, seed, n_episodes
        self.starts, self.goals = world.trials(n_episodes, seed)
        self.envs: DummyVectorEnv = vector_env(world, self.starts)

    def rollout(self, policy: Policy) -> EpisodeStore:
        """Return one episode from each start."""
        return evaluate_policy(policy, self.envs, self.n, seed=1000 + self.seed)

    def successes(self, policy: Policy) -> Values:
        """Return the success on all goals, and on those far from the start if there are any."""
        episodes = self.rollout(policy)
        # Episodes are in the order of their environments, because all have the same length.
        at = np.stack([episodes.episode(i).obs[:, list(self.world.task_entries)] for i in range(self.n)])
        reached = (np.linalg.norm(at - self.goals[:, None], axis=-1) <= self.world.radius).any(1)
        far = self.world.far(self.starts, self.goals)
        values: Values = [("goal", "success", float(reached.mean()))]
        return [*values, ("goal-opposite", "success", float(reached[far].mean()))] if far.any() else values

    def returns(self, policy: Policy, name: str) -> Values:
        """Return the mean return by a reward, and by the true one if the reward was learned."""
        episodes = self.rollout(policy)
        found: Values = [(f"reward:{name}", "return", _mean_return(self.rewards[name], episodes))]
        if name in TRUTHS:
            true = _mean_return(self.rewards[TRUTHS[name]], episodes)
            found.append((f"reward:{name}", "true_return", true))
        return found


def _mean_return(reward: RewardFn, episodes: EpisodeStore) -> float:
    return float(episode_returns(reward, episodes).mean())
