"""The grid world of `irl.py`, where everything that can be known is computed exactly."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv
from torch import Tensor

from benchmarks.irl.worlds import Budget, Numbers, World, agreement, keep_coverages
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.gridworld.gridworld import GridWorld, four_rooms
from rlpriors.envs.gridworld.trajectories import demonstrations, goal_rollouts, rollouts
from rlpriors.evaluation.rewards.epic import pearson, spearman
from rlpriors.evaluation.rewards.tabular_distances import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP, normalized_return, reward_table
from rlpriors.evaluation.rewards.trajectory_sets import Coverage, three_coverages
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["GridBench"]

GAMMA = 0.95
GOAL, PIT = (7, 7), (6, 2)
LAST = 10
REST = (6, 40)  # at random goals; a prior that never rests for long cannot stay at any goal


@dataclass
class GridBench(World):
    """Four rooms, a goal that pays 1 and a pit on one of the two ways to it that costs 1.

    The truth is what cells pay (goal) or the optimal value of being there (progress).
    """

    name: str = "gridworld"
    horizon: int = 24
    stride: int = 1
    execute: int = 2
    max_start: int | None = 16
    budget: Budget = field(
        default_factory=lambda: Budget(data_episodes=1000, prior_updates=3000, reward_updates=500)
    )
    changes: tuple[str, ...] = ("same", "walls", "slip")

    @cached_property
    def world(self) -> GridWorld:
        return GridWorld(four_rooms(9), {GOAL: 1.0, PIT: -1.0}, slip=0.05, actions="vector")

    def changed(self, change: str) -> GridWorld:
        """The same cells pay; the doors are elsewhere, or the ground is slippery."""
        if change == "slip":
            return self.world.changed(slip=0.3)
        if change == "walls":
            rows = four_rooms(9)
            for row, column in ((2, 4), (4, 2), (6, 4), (4, 6)):
                rows[row][column] = 1
            for row, column in ((0, 4), (4, 0), (8, 4), (4, 8)):
                rows[row][column] = 0
            return self.world.changed(maze=rows)
        return self.world

    @property
    def flat_env(self) -> Any:
        return partial(self.world.changed)

    @cached_property
    def many(self) -> DummyVectorEnv:
        return DummyVectorEnv([self.flat_env] * self.budget.episodes)

    def data(self, seed: int, workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        data_seed, demo_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
        data = goal_rollouts(self.world, self.budget.data_episodes, seed=data_seed, rest=REST, gamma=GAMMA)
        return data, demonstrations(self.world, 20, seed=demo_seed, gamma=GAMMA)

    @cached_property
    def mdp(self) -> TabularMDP:
        return self.world.to_mdp(GAMMA)

    @cached_property
    def value(self) -> np.ndarray:
        best: np.ndarray = self.mdp.value_iteration().max(1)
        return best

    def oracle(self) -> RewardFn:
        # 1, 4, 10 and 30 were tried on seed 100: a plan of 24 steps must be moved by what a cell is worth.
        return CellReward(self.world, 10 * self.value / np.ptp(self.value))

    def judge_policy(self, policy: Policy, seed: int) -> Numbers:
        reseed = getattr(policy, "reseed", None)
        if reseed is not None:
            reseed(seed)
        episodes = evaluate_policy(policy, self.many, self.budget.episodes, seed=seed)
        goal = self.world.xy[self.world.state_of_cell(GOAL)]
        there = np.array(
            [np.abs(episodes.episode(i).obs[-LAST:] - goal).max(1) < 0.5 for i in range(episodes.n_episodes)]
        )
        return {
            "success": float((there.mean(1) >= 0.5).mean()),
            "return": float(episodes.rew.sum() / episodes.n_episodes),
        }

    def judge_reward(self, reward: RewardFn, data: EpisodeStore) -> Numbers:
        """Over all states and, exactly, over all transitions."""
        table, world = reward_table(reward, self.world.xy, self.world.action_data), self.world
        states = np.arange(world.n_states)
        resting = table[states, 0, states]
        progress = np.broadcast_to(self.value[None, None], table.shape)
        true = world.reward_table
        return {
            "pearson": pearson(resting, self.value),
            "spearman": spearman(resting, self.value),
            "pearson_goal": pearson(resting, world.cell_rewards),
            "epic": exact_epic(table, progress, GAMMA),
            "epic_goal": exact_epic(table, true, GAMMA),
            "dard_goal": exact_dard(table, true, self.mdp),
            "starc_goal": exact_starc(table, true, self.mdp),
            "starc": exact_starc(table, np.array(progress), self.mdp),
            **agreement(reward, None, self.coverages),
        }

    @cached_property
    def coverages(self) -> tuple[Coverage, ...]:
        n, world = self.budget.trajectories, self.world
        expert = self.mdp.optimal_policy(temperature=0.1)
        shaky = 0.6 * expert + 0.4 * self.mdp.uniform_policy()
        stores = {
            "base": goal_rollouts(world, n, seed=77_000, rest=REST, gamma=GAMMA),
            "expert": demonstrations(world, n, seed=77_001, gamma=GAMMA),
            "perturbed": rollouts(world, shaky, n, seed=77_002),
        }
        coverages = three_coverages(
            stores["base"], stores["expert"], n, seed=0, perturbed=stores["perturbed"]
        )
        if n == Budget().trajectories:
            keep_coverages(self.name, coverages, stores)
        return coverages

    def transfer(self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]) -> Numbers:
        """The optimal policy for the reward, by value iteration, here and in changed worlds."""
        numbers = {}
        for change in changes:
            world = self.changed(change)
            true = world.to_mdp(GAMMA)
            policy = true.with_reward(reward_table(reward, world.xy, world.action_data)).optimal_policy()
            ends = true.state_chances(policy, world.max_episode_steps)
            numbers[f"rl_success_{change}"] = float(ends[world.state_of_cell(GOAL)])
            numbers[f"rl_return_{change}"] = normalized_return(true, policy)
        return numbers


class CellReward:
    """A number for each cell, smoothed between their centers so that it can guide."""

    def __init__(self, world: GridWorld, values: np.ndarray) -> None:
        self.xy = torch.as_tensor(world.xy)
        self.values = torch.as_tensor(values, dtype=torch.float32)

    def __call__(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        nearness = torch.softmax(-2 * torch.cdist(obs, self.xy.to(obs.device)).square(), 1)
        return nearness @ self.values.to(obs.device)
