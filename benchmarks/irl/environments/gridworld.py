"""Grid world with exact optimal policies and reward distances.

`GridWorldEnvironment`  evaluation environment of four rooms with a goal and a pit
"""

from dataclasses import dataclass, field, replace
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
    gamma: float = GAMMA
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
        demos = demonstrations(self.grid, self.n_demonstrations, seed=demo_seed, gamma=GAMMA)
        return self.observed(data), self.observed(demos)

    @property
    def state_obs(self) -> np.ndarray:
        """Observation of each state."""
        return self.grid.xy

    def observed(self, episodes: EpisodeStore) -> EpisodeStore:
        """Return episodes with the observations of this environment in place of positions."""
        return episodes

    def states_of(self, obs: np.ndarray) -> np.ndarray:
        """Return the state of each observation."""
        return self.grid.state_of(obs)

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
        return CellReward(self.state_obs, 10 * self.value / np.ptp(self.value))

    @property
    def step_reward(self) -> RewardFn | None:
        """Reward of the cell that is entered; the state before does not count."""
        return CellReward(self.state_obs, self.grid.cell_rewards, of_next=True, sharpness=50.0)

    @property
    def progress(self) -> RewardFn | None:
        """Optimal value of the cell."""
        return CellReward(self.state_obs, self.value, sharpness=50.0)

    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        reseed(policy, seed)
        episodes = evaluate_policy(policy, self.evaluation_envs, self.budget.episodes, seed=seed)
        goal = self.grid.state_of_cell(GOAL)
        at_goal = np.array(
            [
                self.states_of(episodes.episode(i).obs[-N_LAST_STEPS:]) == goal
                for i in range(episodes.n_episodes)
            ]
        )
        return {
            "success": float((at_goal.mean(1) >= 0.5).mean()),
            "return": float(episodes.rew.sum() / episodes.n_episodes),
        }

    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        """Compare on all states and, exactly, on all transitions."""
        table, grid = reward_table(reward, self.state_obs, self.grid.action_data), self.grid
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
        return tuple(replace(one, store=self.observed(one.store)) for one in sets)

    def score_trained_policy(
        self,
        reward: RewardFn,
        data: EpisodeStore,
        seed: int,
        *,
        oracle: bool = False,
        keep_zero: bool = False,
    ) -> Metrics:
        """Score the optimal policy for the reward by its exact return.

        `policy_normalized` is 0 for uniformly random actions and 1 for the optimal policy, `policy_regret` is
        1 - `policy_normalized`.
        """
        if oracle:
            reward = CellReward(self.state_obs, self.grid.cell_rewards, of_next=True, sharpness=50.0)
        (normalized,) = self.exact_returns(reward, ("same",)).values()
        metrics = {"policy_normalized": normalized, "policy_regret": 1 - normalized}
        return metrics | self.score_success(reward, ("same",))

    def score_fixed_actions(self, seed: int) -> dict[str, float]:
        return {}  # `policy_normalized` is exact

    def score_changed(
        self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]
    ) -> Metrics:
        returns = {f"policy_normalized_{c}": x for c, x in self.exact_returns(reward, changes).items()}
        return returns | self.score_success(reward, changes)

    def optimal_policy(self, reward: RewardFn, change: str) -> tuple[GridWorld, np.ndarray]:
        """Return a changed grid world and the optimal policy for the reward in it."""
        grid = self.changed(change)
        obs = self.state_obs if change != "walls" else self.changed_obs(grid)
        table = reward_table(reward, obs, grid.action_data)
        return grid, grid.to_mdp(GAMMA).with_reward(table).optimal_policy()

    def changed_obs(self, grid: GridWorld) -> np.ndarray:
        """Return the observation of each state of a grid world with other walls."""
        return grid.xy

    def exact_returns(self, reward: RewardFn, changes: tuple[str, ...]) -> Metrics:
        """Return the normalized true return of the optimal policy for the reward in each grid world."""
        policies = {change: self.optimal_policy(reward, change) for change in changes}
        return {
            change: normalized_return(grid.to_mdp(GAMMA), policy)
            for change, (grid, policy) in policies.items()
        }

    def score_success(self, reward: RewardFn, changes: tuple[str, ...]) -> Metrics:
        """Return the probability of being at the goal at the end of an episode."""
        metrics = {}
        for change in changes:
            grid, policy = self.optimal_policy(reward, change)
            final_states = grid.to_mdp(GAMMA).state_probabilities(policy, grid.max_episode_steps)
            suffix = "" if change == "same" else f"_{change}"
            metrics[f"policy_success{suffix}"] = float(final_states[grid.state_of_cell(GOAL)])
        return metrics


class CellReward:
    """Table of cell rewards, smoothed between the observations of cells so that its gradient can guide plans.

    Distances are in units of the smallest distance between two cells.
    """

    def __init__(
        self, obs: np.ndarray, values: np.ndarray, *, of_next: bool = False, sharpness: float = 2.0
    ) -> None:
        self.obs = torch.as_tensor(obs, dtype=torch.float32)
        self.values = torch.as_tensor(values, dtype=torch.float32)
        self.of_next = of_next
        distances = torch.cdist(self.obs, self.obs).fill_diagonal_(torch.inf)
        self.sharpness = sharpness / float(distances.min()) ** 2

    def __call__(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        at = obs_next if self.of_next else obs
        weights = torch.softmax(-self.sharpness * torch.cdist(at, self.obs.to(at.device)).square(), 1)
        return weights @ self.values.to(at.device)
