"""Grid world with exact optimal policies and reward distances.

`GridWorldEnvironment`  evaluation environment of four rooms with a goal and a pit
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv
from torch import Tensor

from benchmarks.irl.environments.base import Budget, IRLEnvironment, Metrics, reseed
from benchmarks.irl.environments.return_correlation import return_correlations, save_trajectory_sets
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.gridworld.gridworld import GridWorld, four_rooms
from rlpriors.envs.gridworld.trajectories import demonstrations, goal_rollouts, rollouts
from rlpriors.evaluation.rewards.epic import pearson, spearman
from rlpriors.evaluation.rewards.tabular_distances import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP, normalized_return, reward_table
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet, make_trajectory_sets
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["GridWorldEnvironment"]

GAMMA = 0.95
GOAL, PIT = (7, 7), (6, 2)
N_LAST_STEPS = 10
REST = (6, 40)  # steps at a random goal; a prior without long rests cannot stay at any goal


@dataclass
class GridWorldEnvironment(IRLEnvironment):
    """Four rooms with a goal (reward 1) and a pit (reward -1) on one of the two ways to it.

    The true reward is that of the cells (goal) or the optimal value of each cell (progress).
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
    def grid(self) -> GridWorld:
        return GridWorld(four_rooms(9), {GOAL: 1.0, PIT: -1.0}, slip=0.05, actions="vector")

    def changed(self, change: str) -> GridWorld:
        """Return the grid world with the same rewards and other doors ("walls") or more slip ("slip")."""
        if change == "slip":
            return self.grid.changed(slip=0.3)
        if change == "walls":
            rows = four_rooms(9)
            for row, column in ((2, 4), (4, 2), (6, 4), (4, 6)):
                rows[row][column] = 1
            for row, column in ((0, 4), (4, 0), (8, 4), (4, 8)):
                rows[row][column] = 0
            return self.grid.changed(maze=rows)
        return self.grid

    @property
    def flat_env(self) -> Any:
        return partial(self.grid.changed)

    @cached_property
    def evaluation_envs(self) -> DummyVectorEnv:
        return DummyVectorEnv([self.flat_env] * self.budget.episodes)

    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        data_seed, demo_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
        data = goal_rollouts(self.grid, self.budget.data_episodes, seed=data_seed, rest=REST, gamma=GAMMA)
        return data, demonstrations(self.grid, 20, seed=demo_seed, gamma=GAMMA)

    @cached_property
    def mdp(self) -> TabularMDP:
        return self.grid.to_mdp(GAMMA)

    @cached_property
    def value(self) -> np.ndarray:
        best: np.ndarray = self.mdp.value_iteration().max(1)
        return best

    def oracle(self) -> RewardFn:
        # The factor was chosen among 1, 4, 10 and 30 on seed 100: it must be large enough to change a plan
        # of 24 steps.
        return CellReward(self.grid, 10 * self.value / np.ptp(self.value))

    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        reseed(policy, seed)
        episodes = evaluate_policy(policy, self.evaluation_envs, self.budget.episodes, seed=seed)
        goal = self.grid.xy[self.grid.state_of_cell(GOAL)]
        at_goal = np.array(
            [
                np.abs(episodes.episode(i).obs[-N_LAST_STEPS:] - goal).max(1) < 0.5
                for i in range(episodes.n_episodes)
            ]
        )
        return {
            "success": float((at_goal.mean(1) >= 0.5).mean()),
            "return": float(episodes.rew.sum() / episodes.n_episodes),
        }

    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        """Compare on all states and, exactly, on all transitions."""
        table, grid = reward_table(reward, self.grid.xy, self.grid.action_data), self.grid
        states = np.arange(grid.n_states)
        resting = table[states, 0, states]
        progress = np.broadcast_to(self.value[None, None], table.shape)
        true = grid.reward_table
        return {
            "pearson": pearson(resting, self.value),
            "spearman": spearman(resting, self.value),
            "pearson_goal": pearson(resting, grid.cell_rewards),
            "epic": exact_epic(table, progress, GAMMA),
            "epic_goal": exact_epic(table, true, GAMMA),
            "dard_goal": exact_dard(table, true, self.mdp),
            "starc_goal": exact_starc(table, true, self.mdp),
            "starc": exact_starc(table, np.array(progress), self.mdp),
            **return_correlations(reward, None, self.trajectory_sets),
        }

    @cached_property
    def trajectory_sets(self) -> tuple[TrajectorySet, ...]:
        n, grid = self.budget.trajectories, self.grid
        expert = self.mdp.optimal_policy(temperature=0.1)
        noisy_expert = 0.6 * expert + 0.4 * self.mdp.uniform_policy()
        stores = {
            "base": goal_rollouts(grid, n, seed=77_000, rest=REST, gamma=GAMMA),
            "expert": demonstrations(grid, n, seed=77_001, gamma=GAMMA),
            "perturbed": rollouts(grid, noisy_expert, n, seed=77_002),
        }
        sets = make_trajectory_sets(
            stores["base"], stores["expert"], n, seed=0, perturbed=stores["perturbed"]
        )
        if n == Budget().trajectories:
            save_trajectory_sets(self.name, sets, stores)
        return sets

    def score_transfer(
        self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]
    ) -> Metrics:
        """Score the optimal policy for the reward, computed by value iteration in each changed grid world."""
        metrics = {}
        for change in changes:
            grid = self.changed(change)
            true = grid.to_mdp(GAMMA)
            policy = true.with_reward(reward_table(reward, grid.xy, grid.action_data)).optimal_policy()
            final_states = true.state_probabilities(policy, grid.max_episode_steps)
            metrics[f"rl_success_{change}"] = float(final_states[grid.state_of_cell(GOAL)])
            metrics[f"rl_return_{change}"] = normalized_return(true, policy)
        return metrics


class CellReward:
    """Table of cell rewards, smoothed between cell centers so that its gradient can guide plans."""

    def __init__(self, grid: GridWorld, values: np.ndarray) -> None:
        self.xy = torch.as_tensor(grid.xy)
        self.values = torch.as_tensor(values, dtype=torch.float32)

    def __call__(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        weights = torch.softmax(-2 * torch.cdist(obs, self.xy.to(obs.device)).square(), 1)
        return weights @ self.values.to(obs.device)
