"""PointMaze with a hidden goal.

`MazeEnvironment`  evaluation environment of all mazes
"""

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv
from torch import Tensor

from benchmarks.irl.environments.base import Budget, IRLEnvironment, Metrics
from benchmarks.irl.environments.return_correlation import return_correlations, save_trajectory_sets
from benchmarks.irl.policies import PolicyBudget, StandardizedReward, train_policy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointSettings
from rlpriors.envs.maze.layouts import LAYOUTS
from rlpriors.envs.maze.perturbations import PerturbedDynamics
from rlpriors.envs.maze.point_maze import OBS_KEYS, GridReward, PointMazeTask, make_task
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout
from rlpriors.evaluation.rewards.epic import epic_distance, pearson, spearman
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet, make_trajectory_sets
from rlpriors.rewards import RewardModel
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["MazeEnvironment"]

GAMMA = 0.99


@dataclass
class MazeEnvironment(IRLEnvironment):
    """PointMaze with a hidden goal.

    The true reward is minus the length of the shortest way to the goal (progress) or the goal indicator.
    """

    name: str = "umaze"
    horizon: int = 32
    stride: int = 4
    execute: int = 4
    dwell: tuple[int, int] = (20, 150)
    """Shortest and longest rest at a goal in the data of the prior, in steps."""
    obs_keys: tuple[str, ...] | None = OBS_KEYS
    obs_index: tuple[int, ...] | None = (0, 1)
    budget: Budget = field(default_factory=Budget)
    recipe_name: Any = "umaze"
    changes: tuple[str, ...] = ("same", "blocked", "heavy")
    # Learned rewards are flat around the goal, where the entropy bonus of SAC outweighs small differences:
    # with a deviation of 1 the agent circles.  Deviation and updates were chosen on seeds 100 and 101.
    policy_budget: PolicyBudget | None = PolicyBudget(reward_std=3.0)  # noqa: RUF009 (frozen)
    _dict_envs: dict[int, DummyVectorEnv] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if f"{self.name}-blocked" not in LAYOUTS:
            # In mazes with cells to avoid, a wall on the other way would leave no way around these cells.
            self.changes = tuple(change for change in self.changes if change != "blocked")

    @cached_property
    def task(self) -> PointMazeTask:
        return make_task(layout=self.name)

    @cached_property
    def _oracle(self) -> GridReward:
        return GridReward(self.task, 0.5)

    @property
    def flat_env(self) -> Any:
        return partial(flat_maze, self.task)

    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        data_seed, demo_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
        settings = WaypointSettings(max_episode_steps=self.task.max_episode_steps, dwell=self.dwell)
        episodes = waypoint_rollout(
            self.task.env_factory,
            self.budget.data_episodes,
            settings,
            seed=data_seed,
            n_workers=n_workers,
            progress=False,
        )
        data = EpisodeStore.from_episodes(episodes, OBS_KEYS)
        return data, self.task.demonstrations(self.n_demonstrations, demo_seed)

    def random_data(self, seed: int) -> EpisodeStore:
        return replace(super().random_data(seed), obs_layout=getattr(self.spaces[0], "obs_layout", None))

    def oracle(self) -> RewardFn:
        return self._oracle

    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        n = self.budget.episodes
        if hasattr(policy, "obs_keys"):
            if n not in self._dict_envs:
                self._dict_envs[n] = DummyVectorEnv([self.task.env_factory] * n)
            episodes = evaluate_policy(
                policy, self._dict_envs[n], n, seed=seed, env_seed=seed, obs_keys=OBS_KEYS
            )
        else:
            episodes = evaluate_policy(policy, self.vector, n, seed=seed)
        return {
            "success": float(self.task.stayed(episodes).mean()),
            "reach": float(self.task.reached(episodes).mean()),
            "return": self.true_return(episodes),
            **({"violations": float((self.task.violations(episodes) > 0).mean())} if self.task.avoid else {}),
        }

    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        """Compare on an even grid at rest, on states of new data, and by the returns of whole episodes."""
        grid = self.task.maze.grid(0.1, margin=0.1).astype(np.float32)
        rest = np.concatenate([grid, np.zeros_like(grid)], 1)
        progress = -self.task.distance(grid)
        at_goal = (np.hypot(*(grid - np.float32(self.task.goal)).T) <= self.task.goal_radius).astype(
            np.float64
        )
        values = _evaluate(reward, rest, np.zeros_like(grid), rest)
        sets = self.trajectory_sets
        base = sets[0].store
        rng = np.random.default_rng(0)
        steps = rng.choice(base.n_steps, min(4000, base.n_steps), replace=False)
        new_transitions = base.transitions(steps)
        new_values = _evaluate(reward, *(part.numpy() for part in new_transitions[:3]))
        new_progress = -self.task.distance(new_transitions.obs[:, :2].numpy())
        others = base.transitions(rng.choice(base.n_steps, 256))
        canonical = {"canonical_obs": others.obs, "canonical_act": others.act, "gamma": GAMMA}
        with torch.no_grad():
            epic = epic_distance(reward, self._oracle, new_transitions, **canonical)
            epic_goal = epic_distance(reward, self._indicator, new_transitions, **canonical)
        return {
            "pearson": pearson(values, progress),
            "spearman": spearman(values, progress),
            "pearson_goal": pearson(values, at_goal),
            "pearson_data": pearson(new_values, new_progress),
            "spearman_data": spearman(new_values, new_progress),
            "epic": epic,
            "epic_goal": epic_goal,
            **return_correlations(reward, self._oracle, sets),
        }

    @property
    def step_reward(self) -> RewardFn | None:
        """Indicator of the goal."""
        return self._indicator

    @property
    def progress(self) -> RewardFn | None:
        """Minus the length of the shortest way to the goal."""
        return self._oracle

    def true_return(self, store: EpisodeStore) -> float:
        """Return minus the mean distance to the goal, the first observation of each episode left out."""
        distances = -self.task.distance(store.obs[:, :2])
        later = np.delete(distances, store.step_starts + np.arange(store.n_episodes))
        return float(later.mean())

    def _indicator(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        offset = obs_next[:, :2] - torch.tensor(self.task.goal)
        return (offset.norm(dim=1) <= self.task.goal_radius).float()

    @property
    def sets_folder(self) -> Path:
        """Folder of the episodes on which rewards are compared."""
        return Path("runs") / "irl" / self.name / f"trajectory_sets-{self.budget.trajectories}"

    @cached_property
    def trajectory_sets(self) -> tuple[TrajectorySet, ...]:
        """New episodes for all seeds and methods: random goals, demonstrations, and noisy demonstrations."""
        n = self.budget.trajectories
        folder = self.sets_folder
        stores = {}
        noisy_expert = WaypointSettings(
            goal=self.task.goal,
            max_episode_steps=self.task.max_episode_steps,
            avoid=self.task.avoid,
            action_noise=2.0,
        )
        expert = replace(noisy_expert, action_noise=0.3)
        random_goals = WaypointSettings(max_episode_steps=self.task.max_episode_steps)
        for i, (kind, settings, count) in enumerate(
            (("base", random_goals, n), ("expert", expert, (n + 1) // 2), ("perturbed", noisy_expert, n))
        ):
            file = folder / f"{kind}.safetensors"
            if not file.exists():
                folder.mkdir(parents=True, exist_ok=True)
                episodes = waypoint_rollout(
                    self.task.env_factory, count, settings, seed=77_000 + i, progress=False
                )
                EpisodeStore.from_episodes(episodes, OBS_KEYS).save(file)
            stores[kind] = EpisodeStore.load(file)
        sets = make_trajectory_sets(
            stores["base"], stores["expert"], n, seed=0, perturbed=stores["perturbed"]
        )
        if n == Budget().trajectories:
            save_trajectory_sets(self.name, sets, stores)
        return sets

    def score_changed(
        self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]
    ) -> Metrics:
        """Train SAC from scratch on the reward in each changed maze."""
        budget = self.policy_budget
        assert budget is not None
        metrics = {}
        used = StandardizedReward(reward, data, gamma=budget.algorithm.gamma, std=budget.reward_std)
        for change in changes:
            task = make_task(layout=f"{self.name}-blocked") if change == "blocked" else self.task
            make = partial(flat_maze, task, mass=3.0 if change == "heavy" else 1.0)
            vector = DummyVectorEnv([make] * 16)
            policy = train_policy(self.spaces, vector, used, budget, data, seed)
            episodes = evaluate_policy(policy, vector, self.budget.episodes, seed=seed + 1)
            metrics[f"policy_success_{change}"] = float(task.stayed(episodes).mean())
            metrics[f"policy_reach_{change}"] = float(task.reached(episodes).mean())
            vector.close()
        return metrics


def flat_maze(task: PointMazeTask, mass: float = 1.0) -> gym.Env[Any, Any]:
    """Return the environment with x, y and velocities as one vector; `mass` scales the mass of the ball."""
    env = task.env_factory()
    return FlatObservation(PerturbedDynamics(env, mass=mass) if mass != 1 else env, OBS_KEYS)


def _evaluate(reward: RewardFn, obs: np.ndarray, act: np.ndarray, obs_next: np.ndarray) -> np.ndarray:
    if isinstance(reward, RewardModel):
        return reward.score(obs, act, obs_next).astype(np.float64)
    terminated = torch.zeros(len(obs), dtype=torch.bool)
    with torch.no_grad():
        return reward(*map(torch.as_tensor, (obs, act, obs_next)), terminated).double().numpy()
