"""The runners of `irl.py`, Hopper-v5 and HalfCheetah-v5, on the recorded episodes of `benchmarks/data`.

All seeds share these, as `benchmarks/irl/record_locomotion.py` takes 25 minutes a time; a seed chooses which
of the expert's episodes are demonstrations.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from torch import Tensor

from benchmarks.irl.worlds import Budget, Numbers, World, agreement, keep_coverages, spread
from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.evaluation.rewards.epic import pearson, pearson_distance, spearman
from rlpriors.evaluation.rewards.trajectory_sets import Coverage
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.episode_statistics import FlatObservation
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["Locomotion"]

DATA = Path(__file__).parents[1] / "data"
DEMOS = 8
"""Of the expert's 16 episodes; the others are held out."""
EPISODES = 10
REFERENCES = {"Hopper-v5": (-20.27, 3234.3), "HalfCheetah-v5": (-280.18, 12135.0)}
"""Returns of a random and of an expert policy by which D4RL (arXiv 2004.07219) normalizes.

They are from versions before v5, whose rewards are nearly the same; our own experts reach 0.74
(Hopper) and 0.56 (HalfCheetah) of the way.
"""


@dataclass
class Locomotion(World):
    """Running forward, learned from 8 episodes of an expert and what a learner did on its way there.

    The prior's data are three of every four episodes of the replay; every fourth is held out.  The
    expert leaves the range of some entry in the whole replay in 4 % (Hopper) and 39 % (HalfCheetah)
    of its observations, where plans, which are kept to what the prior has seen, cannot follow.

    Hopper's episodes end when it falls, and the planner, which plans 16 steps on, is not told.  So
    episodes have several lengths, and `DiffusionIRL` warns that the reward's zero decides whether an
    agent would rather go on or fall.
    """

    env_id: Literal["Hopper-v5", "HalfCheetah-v5"] = "Hopper-v5"
    horizon: int = 16
    stride: int = 1
    execute: int = 4
    max_start: int | None = None
    budget: Budget = field(
        default_factory=lambda: Budget(
            prior_updates=6000, env_steps=16_000, episodes=EPISODES, trajectories=0, data_episodes=0
        )
    )
    seed_recipe: Any = "halfcheetah"
    transferred: str = "rl_return_same"

    def __post_init__(self) -> None:
        self.name = self.env_id.split("-")[0].lower()

    @property
    def flat_env(self) -> Any:
        quick = self.budget == Budget.quick()
        return partial(flat_runner, self.env_id, 40 if quick else None)

    @cached_property
    def _recorded(self) -> dict[str, EpisodeStore]:
        """The whole recordings."""
        kinds = {"base": "replay", "expert": "expert"}
        files = {name: DATA / f"{self.env_id.lower()}-{kind}.safetensors" for name, kind in kinds.items()}
        return {name: EpisodeStore.load(file) for name, file in files.items()}

    @cached_property
    def _replay(self) -> tuple[EpisodeStore, EpisodeStore]:
        """What the prior is learned from, and what is held out of it: the learner's progress in both."""
        replay, held_out = self._recorded["base"], self._held_out
        return replay.subset(np.setdiff1d(np.arange(replay.n_episodes), held_out)), replay.subset(held_out)

    @property
    def _held_out(self) -> np.ndarray:
        return np.arange(self._recorded["base"].n_episodes)[3::4]

    @property
    def held_out(self) -> EpisodeStore:
        """The quarter of the replay that nobody learns from."""
        return self._replay[1]

    def _expert(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Which episodes are demonstrations and which are held out: an even choice, as the recording
        begins with the worst.
        """
        order = np.random.default_rng(seed).permutation(self._recorded["expert"].n_episodes)
        return order[:DEMOS], order[DEMOS:]

    def data(self, seed: int, workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        """The same for all seeds, and 8 episodes of 16; "20 demonstrations" are these 8."""
        return self._replay[0], self._recorded["expert"].subset(self._expert(seed)[0])

    def oracle(self) -> RewardFn:
        """A network of (s, a, s') regressed on the rewards recorded in the prior's data.

        No differentiable true reward is known: it is the distance run in a step, and observations
        leave the position out.  So this is the truth up to an error: on steps that it has not seen its
        Pearson correlation with the recorded rewards is 0.997 (Hopper) and 0.999 (HalfCheetah), and 0.995
        or more on the expert's alone (seed 100).
        """
        return self._oracle

    @cached_property
    def _oracle(self) -> MLPReward:
        return regressed(self._replay[0], self.budget.clone_updates)

    def judge_policy(self, policy: Policy, seed: int) -> Numbers:
        """Episodes side by side on the true reward, until they fall or 1000 steps are over."""
        reseed = getattr(policy, "reseed", None)
        if reseed is not None:
            reseed(seed)
        episodes = evaluate_policy(policy, self.vector, min(EPISODES, self.budget.episodes), seed=seed)
        mean = float(episodes.rew.sum(dtype=np.float64) / episodes.n_episodes)
        return {
            "return": mean,
            "normalized": self.normalized(mean),
            "length": float(episodes.lengths.mean()),
        }

    def normalized(self, mean_return: float) -> float:
        """0 for a random policy and 1 for D4RL's expert: a hundredth of D4RL's score."""
        random, expert = REFERENCES[self.env_id]
        return (mean_return - random) / (expert - random)

    def judge_reward(self, reward: RewardFn, data: EpisodeStore) -> Numbers:
        """Against the recorded rewards of episodes that nobody learned from, a quarter of the replay
        and the expert's other 8.

        EPIC would ask what the truth pays for steps that were never made, which no recording tells,
        and asking the regressed reward would judge by a guess.  So there is the Pearson distance of
        the rewards as they are, which shaping changes.

        The returns of whole episodes are per step, as a learned reward has no natural zero: for Hopper
        they tell how fast it runs and not how long.  There are 82 + 8 (Hopper) and 10 + 8 (HalfCheetah)
        episodes, far fewer than the 500 of the other worlds.
        """
        base, mixed = self.coverages()
        true, learned = mixed.store.rew, mixed.store.relabel(reward).rew
        return {
            "pearson": pearson(learned, true),
            "spearman": spearman(learned, true),
            "pearson_distance": pearson_distance(learned, true),
            "pearson_expert": pearson(*self._paid(mixed, "expert", learned)),
            "pearson_replay": pearson(*self._paid(mixed, "base", learned)),
            **agreement(reward, None, (base, mixed)),
        }

    @staticmethod
    def _paid(coverage: Coverage, source: str, learned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Learned and true rewards of the steps from one source."""
        here = np.array([name == source for name in coverage.source])[coverage.store.episode_of]
        return learned[here], coverage.store.rew[here]

    def coverages(self) -> tuple[Coverage, Coverage]:
        """The replay held out, and the same with the expert's episodes that are no demonstrations.

        Episodes are counted in the recordings, and which expert's they are depends on the seed.
        """
        base, expert = self._held_out, self._expert(self.seed)[1]
        source = ("base",) * len(base) + ("expert",) * len(expert)
        number = np.concatenate([base, expert])
        episodes = (self._recorded[name].episode(i) for name, i in zip(source, number, strict=True))
        coverages = (
            Coverage("base", self.held_out, source[: len(base)], base),
            Coverage("mixed", EpisodeStore.from_episodes(episodes), source, number),
        )
        if self.budget != Budget.quick() and self.seed < 100:
            keep_coverages(f"{self.name}-seed{self.seed}", coverages, self._recorded)
        return coverages

    def transfer(self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]) -> Numbers:
        """SAC from nothing for a small budget, far from what it takes to run well.

        The reward is brought to mean and spread of the true one on the prior's data.  The mean too,
        for where episodes end by falling it decides whether a step more is worth anything, and
        nothing that is learned from demonstrations fixes it: Hopper's true one pays 1 for each step.
        """
        scale = float(data.rew.std()) / max(spread(reward, data), 1e-6)
        mean, true_mean = float(data.relabel(reward).rew.mean()), float(data.rew.mean())

        def shown(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
            return scale * (reward(obs, act, obs_next, terminated) - mean) + true_mean

        steps = self.budget.env_steps
        agent = make_algorithm(*self.spaces, AlgorithmSettings("sac", lr=1e-3), device="cpu", seed=seed)
        settings = OnlineSettings(
            env_steps=steps, random_steps=min(3200, steps // 32 * 16), update_per_step=0.25
        )
        train_online(agent, self.vector, reward=shown, settings=settings, seed=seed, progress=False)
        found = self.judge_policy(agent.policy, seed + 1)
        return {f"rl_{name}_same": value for name, value in found.items()}


def flat_runner(env_id: str, max_steps: int | None) -> gym.Env[Any, Any]:
    """A runner whose observations are float32."""
    return FlatObservation(gym.make(env_id, max_episode_steps=max_steps))


def regressed(data: EpisodeStore, updates: int) -> MLPReward:
    """A network that gives the data's own rewards, in standard deviations from their mean."""
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
