"""The worlds of `irl.py`: their data, how a policy is judged in them, and a reward.

`World`      what a world offers to the methods, and to the table
`MazeWorld`  PointMaze with a hidden goal; the grid world and the runners have files of their own
"""

from abc import ABC, abstractmethod
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

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointSettings, rollout
from rlpriors.envs.maze.layouts import WORLDS
from rlpriors.envs.maze.perturbations import PerturbedDynamics
from rlpriors.envs.maze.point_maze import OBS_KEYS, GridReward, PointMazeTask, make_task
from rlpriors.evaluation.rewards.epic import epic_distance, pearson, spearman
from rlpriors.evaluation.rewards.return_correlation import episode_returns, return_agreement
from rlpriors.evaluation.rewards.trajectory_sets import Coverage, three_coverages, write_coverages
from rlpriors.rewards import RewardModel
from rlpriors.training.episode_statistics import FlatObservation
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["Budget", "MazeWorld", "Numbers", "World", "agreement", "keep_coverages", "spread"]

Numbers = dict[str, float]
GAMMA = 0.99
STEEPNESS = 4.0
COVERAGES = Path(__file__).parents[1] / "results" / "coverages"


@dataclass(frozen=True)
class Budget:
    """How much everybody gets; `quick` cuts it down to see that all runs."""

    data_episodes: int = 400
    prior_updates: int = 4000
    reward_updates: int = 800
    chain_updates: int = 150
    """As each takes several times as long: about the same seconds."""
    seed_seconds: float = 60.0
    """The original recipe learns for so long."""
    clone_updates: int = 2000
    env_steps: int = 25_600
    """Of every algorithm that acts to learn."""
    episodes: int = 100
    trajectories: int = 500
    """In each coverage that rewards are judged on."""

    @classmethod
    def quick(cls) -> "Budget":
        return cls(12, 20, 4, 2, 0.5, 20, 320, 2, 6)


class World(ABC):
    """What a world offers."""

    name: str
    seed_recipe: Any = "umaze"
    horizon: int
    stride: int
    execute: int
    max_start: int | None
    obs_keys: tuple[str, ...] | None = None
    obs_index: tuple[int, ...] | None = None
    """What is known to matter, for rewards that may be told; None where nothing is."""
    budget: Budget
    changes: tuple[str, ...] = ("same",)
    """Worlds that a policy is learned in from a reward alone; the first, "same", is the reward's own."""
    transferred: str = "rl_success_same"
    """A number of `transfer` that tells that it was done."""
    seed: int
    """Whose cells are run: told before anything is judged."""

    @abstractmethod
    def data(self, seed: int, workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        """The prior's data, and 20 demonstrations or as many as there are."""

    @property
    @abstractmethod
    def flat_env(self) -> Any:
        """Makes one environment whose observations are vectors."""

    @abstractmethod
    def oracle(self) -> RewardFn:
        """The true reward, to guide by."""

    @abstractmethod
    def judge_policy(self, policy: Policy, seed: int) -> Numbers:
        """What a policy achieves."""

    @abstractmethod
    def judge_reward(self, reward: RewardFn, data: EpisodeStore) -> Numbers:
        """How much a reward looks like the truth."""

    @abstractmethod
    def transfer(self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]) -> Numbers:
        """What a policy learned from nothing on this reward achieves, here and in changed worlds."""

    @cached_property
    def vector(self) -> DummyVectorEnv:
        """Sixteen of these, made once: MuJoCo gives little memory back."""
        return DummyVectorEnv([self.flat_env] * 16)

    @cached_property
    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        env = self.flat_env()
        env.close()
        return env.observation_space, env.action_space


@dataclass
class MazeWorld(World):
    """PointMaze; the truth is minus the way to the goal (progress), or being there (goal)."""

    name: str = "umaze"
    horizon: int = 32
    stride: int = 4
    execute: int = 4
    max_start: int | None = 60
    obs_keys: tuple[str, ...] | None = OBS_KEYS
    obs_index: tuple[int, ...] | None = (0, 1)
    budget: Budget = field(default_factory=Budget)
    seed_recipe: Any = "umaze"
    changes: tuple[str, ...] = ("same", "blocked", "heavy")
    _dict_envs: dict[int, DummyVectorEnv] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if f"{self.name}-blocked" not in WORLDS:
            # Where cells are to avoid, a wall on the other way would leave none but through them.
            self.changes = tuple(change for change in self.changes if change != "blocked")

    @cached_property
    def task(self) -> PointMazeTask:
        return make_task(world=self.name)

    @cached_property
    def _oracle(self) -> GridReward:
        return GridReward(self.task, 0.5)

    @property
    def flat_env(self) -> Any:
        return partial(flat_maze, self.task)

    def data(self, seed: int, workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        data_seed, demo_seed = (int(s) for s in np.random.SeedSequence(seed).generate_state(2))
        data = self.task.data(self.budget.data_episodes, data_seed, workers)
        return data, self.task.demonstrations(20, demo_seed)

    def oracle(self) -> RewardFn:
        return self._oracle

    def judge_policy(self, policy: Policy, seed: int) -> Numbers:
        n = self.budget.episodes
        if hasattr(policy, "obs_keys"):
            if n not in self._dict_envs:
                self._dict_envs[n] = DummyVectorEnv([self.task.env_factory] * n)
            episodes = evaluate_policy(
                policy, self._dict_envs[n], n, seed=seed, env_seed=seed, obs_keys=OBS_KEYS
            )
        else:
            episodes = evaluate_policy(policy, self.vector, n, seed=seed)
        distance = self.task.distance(episodes.obs[:, :2]).reshape(n, -1)[:, 1:]
        return {
            "success": float(self.task.stayed(episodes).mean()),
            "reach": float(self.task.reached(episodes).mean()),
            "return": float(-distance.mean()),
            **({"violations": float((self.task.violations(episodes) > 0).mean())} if self.task.avoid else {}),
        }

    def judge_reward(self, reward: RewardFn, data: EpisodeStore) -> Numbers:
        """On an even grid at rest, on states of fresh data, and by the returns of whole episodes."""
        grid = self.task.maze.grid(0.1, margin=0.1).astype(np.float32)
        rest = np.concatenate([grid, np.zeros_like(grid)], 1)
        progress = -self.task.distance(grid)
        there = (np.hypot(*(grid - np.float32(self.task.goal)).T) <= self.task.radius).astype(np.float64)
        paid = _score(reward, rest, np.zeros_like(grid), rest)
        coverages = self.coverages()
        base = coverages[0].store
        rng = np.random.default_rng(0)
        steps = rng.choice(base.n_steps, min(4000, base.n_steps), replace=False)
        fresh = base.transitions(steps)
        paid_fresh = _score(reward, *(part.numpy() for part in fresh[:3]))
        progress_fresh = -self.task.distance(fresh.obs[:, :2].numpy())
        others = base.transitions(rng.choice(base.n_steps, 256))
        canonical = {"canonical_obs": others.obs, "canonical_act": others.act, "gamma": GAMMA}
        with torch.no_grad():
            epic = epic_distance(reward, self._oracle, fresh, **canonical)
            epic_goal = epic_distance(reward, self._indicator, fresh, **canonical)
        return {
            "pearson": pearson(paid, progress),
            "spearman": spearman(paid, progress),
            "pearson_goal": pearson(paid, there),
            "pearson_data": pearson(paid_fresh, progress_fresh),
            "spearman_data": spearman(paid_fresh, progress_fresh),
            "epic": epic,
            "epic_goal": epic_goal,
            **agreement(reward, self._oracle, coverages),
        }

    def _indicator(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        away = obs_next[:, :2] - torch.tensor(self.task.goal)
        return (away.norm(dim=1) <= self.task.radius).float()

    def coverages(self) -> tuple[Coverage, ...]:
        """Fresh episodes for all seeds and methods: travels, demonstrations, and shaky demonstrations."""
        return self._coverages

    @cached_property
    def _coverages(self) -> tuple[Coverage, ...]:
        n = self.budget.trajectories
        folder = Path("runs") / "irl" / self.name / f"coverages-{n}"
        stores = {}
        shaky = WaypointSettings(
            goal=self.task.goal, max_steps=self.task.steps, avoid=self.task.avoid, noise=2.0
        )
        careful = replace(shaky, noise=0.3)
        travels = WaypointSettings(max_steps=self.task.steps)
        for i, (kind, settings, count) in enumerate(
            (("base", travels, n), ("expert", careful, (n + 1) // 2), ("perturbed", shaky, n))
        ):
            file = folder / f"{kind}.safetensors"
            if not file.exists():
                folder.mkdir(parents=True, exist_ok=True)
                episodes = rollout(self.task.env_factory, count, settings, seed=77_000 + i, progress=False)
                EpisodeStore.from_episodes(episodes, OBS_KEYS).save(file)
            stores[kind] = EpisodeStore.load(file)
        coverages = three_coverages(
            stores["base"], stores["expert"], n, seed=0, perturbed=stores["perturbed"]
        )
        if n == Budget().trajectories:
            keep_coverages(self.name, coverages, stores)
        return coverages

    def transfer(self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]) -> Numbers:
        """SAC from nothing, its reward brought to four times the spread of the true one on the prior's data.

        Learned rewards are flat around the goal, and SAC's entropy weighs against what is small: with
        the spread of the true one it circles.  The factor was chosen among 1, 4 and 16, and the updates a
        step among 1/8, 1/4 and 1/2, on seeds 100 and 101 with `contrastive` and `contrastive-all`; they
        are everybody's.
        """
        numbers = {}
        scale = spread(self._oracle, data) / max(spread(reward, data), 1e-6)
        for change in changes:
            task = make_task(world=f"{self.name}-blocked") if change == "blocked" else self.task
            make = partial(flat_maze, task, mass=3.0 if change == "heavy" else 1.0)
            vector = self.vector if change == "same" else DummyVectorEnv([make] * 16)
            agent = make_algorithm(
                *self.spaces, AlgorithmSettings("sac", lr=3e-3, gamma=0.97, tau=0.02), seed=seed
            )
            settings = OnlineSettings(
                env_steps=self.budget.env_steps,
                random_steps=min(1600, self.budget.env_steps // 32 * 16),
                update_per_step=0.25,
                reward_scale=STEEPNESS * float(scale),
            )
            train_online(agent, vector, reward=reward, settings=settings, seed=seed, progress=False)
            episodes = evaluate_policy(agent.policy, vector, self.budget.episodes, seed=seed + 1)
            numbers[f"rl_success_{change}"] = float(task.stayed(episodes).mean())
            numbers[f"rl_reach_{change}"] = float(task.reached(episodes).mean())
            if vector is not self.vector:
                vector.close()
        return numbers


def flat_maze(task: PointMazeTask, mass: float = 1.0) -> gym.Env[Any, Any]:
    """A task's environment with x, y and the velocities as one vector; `mass` is a factor on its body."""
    env = task.env_factory()
    return FlatObservation(PerturbedDynamics(env, mass=mass) if mass != 1 else env, OBS_KEYS)


def keep_coverages(name: str, coverages: tuple[Coverage, ...], stores: dict[str, EpisodeStore]) -> None:
    """Save which episodes of `stores` rewards are judged on: of whole runs, as quick ones are no results."""
    COVERAGES.mkdir(parents=True, exist_ok=True)
    write_coverages(COVERAGES / f"{name}.json", coverages, stores)


def agreement(reward: RewardFn, truth: RewardFn | None, coverages: tuple[Coverage, ...]) -> Numbers:
    """Correlation of the returns of whole episodes, on each coverage; per step where lengths differ."""
    numbers: dict[str, float] = {}
    for coverage in coverages:
        store = coverage.store
        uneven = len(np.unique(store.lengths)) > 1
        with torch.no_grad():
            learned = episode_returns(reward, store, per_step=uneven)
            true = episode_returns(truth, store, per_step=uneven)
        both = return_agreement(learned, true)
        numbers[f"erc_pearson_{coverage.name}"] = both.pearson
        numbers[f"erc_spearman_{coverage.name}"] = both.spearman
        numbers[f"preference_{coverage.name}"] = both.preference
    return numbers


def spread(reward: RewardFn, data: EpisodeStore) -> float:
    """Standard deviation of a reward on data."""
    steps = np.random.default_rng(0).choice(data.n_steps, min(4000, data.n_steps), replace=False)
    with torch.no_grad():
        return float(reward(*data.transitions(steps)).std())


def _score(reward: RewardFn, obs: np.ndarray, act: np.ndarray, after: np.ndarray) -> np.ndarray:
    if isinstance(reward, RewardModel):
        return reward.score(obs, act, after).astype(np.float64)
    ends = torch.zeros(len(obs), dtype=torch.bool)
    with torch.no_grad():
        return reward(*map(torch.as_tensor, (obs, act, after)), ends).double().numpy()
