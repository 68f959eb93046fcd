"""Hopper-v5 and HalfCheetah-v5 on the recorded episodes of `benchmarks/data`.

`LocomotionEnvironment`  evaluation environment of both

All seeds share the recordings, because `benchmarks.irl.record_locomotion` takes 25 minutes.  A seed selects
the expert episodes that are demonstrations.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy

from benchmarks.irl.environments.base import Budget, IRLEnvironment, Metrics, reseed
from benchmarks.irl.environments.return_correlation import return_correlations, save_trajectory_sets
from benchmarks.irl.policies import PolicyBudget
from rlpriors.agents import AlgorithmSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.envs.make import make_env
from rlpriors.evaluation.rewards.epic import pearson, pearson_distance, spearman
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["LocomotionEnvironment"]

DATA = Path(__file__).parents[2] / "data"
N_DEMONSTRATIONS = 8
"""Number of the expert's 16 episodes that are demonstrations; the others are held out."""
N_EPISODES = 10
EARLY_SHARE = 0.4
"""Fraction of the replay, from its start, that is early data."""
POLICY_BUDGET = PolicyBudget(
    AlgorithmSettings("sac", hidden=(128, 128), lr=1e-3, gamma=0.99, normalize_observations=True),
    env_steps=27_200,
    random_steps=3200,
    update_per_step=0.5,
    episodes=N_EPISODES,
)
REFERENCES = {"Hopper-v5": (-20.27, 3234.3), "HalfCheetah-v5": (-280.18, 12135.0)}
"""Returns of the random and the expert policy by which D4RL (arXiv 2004.07219) normalizes.

They are from versions before v5, whose rewards are nearly the same.  Normalized so, the experts recorded here
score 0.74 (Hopper) and 0.56 (HalfCheetah).
"""


@dataclass
class LocomotionEnvironment(IRLEnvironment):
    """Running forward, with 8 demonstrations of an expert and the replay data of its training.

    The prior's data are three of every four episodes of the replay; every fourth is held out.  In 4 %
    (Hopper) and 39 % (HalfCheetah) of the expert's observations some entry is outside the range of the
    replay.  Plans are clipped to the range of the prior's data and cannot reach these observations.

    Hopper's episodes end when it falls, so they have several lengths.
    """

    env_id: Literal["Hopper-v5", "HalfCheetah-v5"] = "Hopper-v5"
    horizon: int = 16
    stride: int = 1
    execute: int = 4
    n_demonstrations: int = N_DEMONSTRATIONS
    budget: Budget = field(
        default_factory=lambda: Budget(
            prior_updates=6000, env_steps=16_000, episodes=N_EPISODES, trajectories=0, data_episodes=0
        )
    )
    recipe_name: Any = "halfcheetah"
    own_reward: bool = True
    has_early_data: bool = True
    plans: bool = False

    def __post_init__(self) -> None:
        self.name = self.env_id.split("-")[0].lower()
        # Hopper needs 135,000 steps with the true reward, more than the budget of the benchmark.
        self.policy_budget = POLICY_BUDGET if self.env_id == "HalfCheetah-v5" else None

    @property
    def flat_env(self) -> Any:
        quick = self.budget == Budget.quick()
        return partial(flat_locomotion, self.env_id, 40 if quick else None)

    @cached_property
    def _recorded(self) -> dict[str, EpisodeStore]:
        """All recorded episodes by source."""
        kinds = {"base": "replay", "expert": "expert"}
        files = {name: DATA / f"{self.env_id.lower()}-{kind}.safetensors" for name, kind in kinds.items()}
        return {name: EpisodeStore.load(file) for name, file in files.items()}

    @cached_property
    def _replay(self) -> tuple[EpisodeStore, EpisodeStore]:
        """Episodes of the replay for the prior, and held-out ones; both span the whole training run."""
        replay, held_out = self._recorded["base"], self._held_out
        return replay.subset(np.setdiff1d(np.arange(replay.n_episodes), held_out)), replay.subset(held_out)

    @property
    def _held_out(self) -> np.ndarray:
        return np.arange(self._recorded["base"].n_episodes)[3::4]

    @property
    def held_out(self) -> EpisodeStore:
        """Quarter of the replay that is not used for training."""
        return self._replay[1]

    def _expert(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the demonstrations and the held-out episodes, drawn at random.

        The recording begins with the worst episodes.
        """
        order = np.random.default_rng(seed).permutation(self._recorded["expert"].n_episodes)
        return order[:N_DEMONSTRATIONS], order[N_DEMONSTRATIONS:]

    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        """Return the replay, equal for all seeds, and the 8 demonstrations of the seed."""
        return self._replay[0], self._recorded["expert"].subset(self._expert(seed)[0])

    def early_data(self, seed: int) -> EpisodeStore | None:
        """Return the first part of the replay."""
        replay = self._replay[0]
        return replay.subset(np.arange(round(EARLY_SHARE * replay.n_episodes)))

    @property
    def step_reward(self) -> RewardFn | None:
        """Regressed reward; see `oracle`."""
        return self._oracle

    def oracle(self) -> RewardFn:
        """Return a network of (s, a, s') regressed on the recorded rewards of the prior's data.

        The true reward is the distance of a step, and observations do not contain the position, so no
        differentiable true reward is available.  On held-out steps the Pearson correlation of the network
        with the recorded rewards is 0.997 (Hopper) and 0.999 (HalfCheetah), and at least 0.995 on the
        expert's steps alone (seed 100).
        """
        return self._oracle

    @cached_property
    def _oracle(self) -> MLPReward:
        return regress_reward(self._replay[0], self.budget.cloning_updates)

    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        """Score on the true reward, in episodes that end with a fall or after 1000 steps."""
        reseed(policy, seed)
        episodes = evaluate_policy(policy, self.vector, min(N_EPISODES, self.budget.episodes), seed=seed)
        mean = float(episodes.rew.sum(dtype=np.float64) / episodes.n_episodes)
        return {
            "return": mean,
            "normalized": self.normalized(mean),
            "length": float(episodes.lengths.mean()),
        }

    def normalized(self, mean_return: float) -> float:
        """Return 0 for D4RL's random policy and 1 for its expert: a hundredth of D4RL's score."""
        random, expert = REFERENCES[self.env_id]
        return (mean_return - random) / (expert - random)

    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        """Compare with the recorded rewards of held-out episodes: a quarter of the replay, 8 of the expert.

        EPIC needs the true reward of transitions that no recording contains.  `step_epic` estimates it with
        the regressed reward.  The Pearson distance of the raw rewards needs no estimate; shaping changes it.

        The returns of whole episodes are per step, because a learned reward has no natural zero: for Hopper
        they measure speed and not duration.  There are 82 + 8 (Hopper) and 10 + 8 (HalfCheetah) episodes, far
        fewer than the 500 of the other environments.
        """
        base, mixed = self.trajectory_sets
        true, learned = mixed.store.rew, mixed.store.relabel(reward).rew
        return {
            "pearson": pearson(learned, true),
            "spearman": spearman(learned, true),
            "pearson_distance": pearson_distance(learned, true),
            "pearson_expert": pearson(*self._select_source(mixed, "expert", learned)),
            "pearson_replay": pearson(*self._select_source(mixed, "base", learned)),
            **return_correlations(reward, None, (base, mixed)),
        }

    @staticmethod
    def _select_source(
        trajectory_set: TrajectorySet, source: str, learned: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the learned and the true rewards of the steps from one source."""
        episodes = np.array([name == source for name in trajectory_set.source])
        steps = episodes[trajectory_set.store.episode_of]
        return learned[steps], trajectory_set.store.rew[steps]

    @property
    def trajectory_sets(self) -> tuple[TrajectorySet, TrajectorySet]:
        """The held-out replay, and the same with the held-out episodes of the expert.

        Episode numbers are those of the recordings.  The expert's episodes depend on the seed.
        """
        base, expert = self._held_out, self._expert(self.seed)[1]
        source = ("base",) * len(base) + ("expert",) * len(expert)
        number = np.concatenate([base, expert])
        episodes = (self._recorded[name].episode(i) for name, i in zip(source, number, strict=True))
        sets = (
            TrajectorySet("base", self.held_out, source[: len(base)], base),
            TrajectorySet("mixed", EpisodeStore.from_episodes(episodes), source, number),
        )
        if self.budget != Budget.quick() and self.seed < 100:
            save_trajectory_sets(f"{self.name}-seed{self.seed}", sets, self._recorded)
        return sets


def flat_locomotion(env_id: str, max_steps: int | None) -> gym.Env[Any, Any]:
    """Return the environment with float32 observations."""
    return FlatObservation(make_env(env_id, max_episode_steps=max_steps))


def regress_reward(data: EpisodeStore, updates: int) -> MLPReward:
    """Return a network fitted to the rewards of the data, standardized to mean 0 and deviation 1."""
    obs_dim, act_dim = data.obs.shape[1], data.act.shape[1]
    normalizer = Normalizer.concat(Normalizer.gaussian(data.obs), Normalizer.gaussian(data.act))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        settings = RewardSettings(obs_dim, act_dim, inputs=("obs", "act", "obs_next"))
        reward = MLPReward(settings, normalizer)
    true = torch.as_tensor((data.rew - data.rew.mean()) / max(float(data.rew.std()), 1e-6))
    optim = torch.optim.Adam(reward.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optim, updates)
    rng = np.random.default_rng(0)
    for _ in range(updates):
        steps = rng.integers(data.n_steps, size=256)
        loss = (reward(*data.transitions(steps)) - true[steps]).square().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
        schedule.step()
    return reward.requires_grad_(False)
