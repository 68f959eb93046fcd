"""Training of a policy on a learned reward, compared with the demonstrations.

`DemonstrationSets`   demonstrations of a reward, and the held-out ones among them
`PolicyRun`           numbers, findings and pictures of a trained policy
`make_agent`          untrained algorithm that reads observations in the reward's normalized units
`train_on_reward`     training of a policy on a reward, with evaluations before and after
`load_demonstrations` demonstrations that `rlpriors learn-reward` recorded next to a reward
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from matplotlib.figure import Figure
from tianshou.algorithm.algorithm_base import Algorithm, Policy

from rlpriors.agents.online.factory import OnlineAlgorithm, make_algorithm
from rlpriors.agents.online.policy_files import save_policy
from rlpriors.agents.online.settings import AlgorithmSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.verdict import Finding
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance
from rlpriors.evaluation.rollouts.rollout_scores import score_rollouts
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.mlp import obs_normalizer
from rlpriors.rewards.normalized import NormalizedReward
from rlpriors.training.drift_monitor import DriftMonitor
from rlpriors.training.episode_statistics import RecordEpisodeReturns
from rlpriors.training.online import train_online
from rlpriors.training.online_settings import OnlineResult, OnlineSettings
from rlpriors.training.reward_learning.policy_findings import ending_findings, policy_findings
from rlpriors.training.reward_learning.policy_pictures import draw_policy_pictures
from rlpriors.training.rollout import evaluate_policy, evaluate_returns
from rlpriors.training.tracking.episode_film import EpisodeFilm
from rlpriors.training.tracking.run_tracker import Trackers
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward

__all__ = ["DemonstrationSets", "PolicyRun", "load_demonstrations", "make_agent", "train_on_reward"]

SHOWN, HELD_OUT = "demonstrations.safetensors", "held_out.safetensors"


class DemonstrationSets(NamedTuple):
    """Demonstrations of a reward, and the held-out ones among them."""

    shown: EpisodeStore
    """Demonstrations that the reward was trained on, or all if this is unknown."""
    held_out: EpisodeStore | None
    """Held-out demonstrations; None for none."""

    def save(self, run: Path) -> None:
        """Write both to the folder of a run, next to its reward."""
        self.shown.save(run / SHOWN)
        if self.held_out is not None:
            self.held_out.save(run / HELD_OUT)

    @property
    def all(self) -> EpisodeStore:
        """All demonstrations."""
        if self.held_out is None:
            return self.shown
        parts = self.shown, self.held_out
        episodes = [store.episode(i) for store in parts for i in range(store.n_episodes)]
        return EpisodeStore.from_episodes(episodes, action_space=self.shown.action_space)

    @property
    def length(self) -> int:
        """Number of steps of a window: a third of a demonstration."""
        return max(1, round(float(np.median(self.shown.lengths)) / 3))


class PolicyRun(NamedTuple):
    """Numbers, findings and pictures of a trained policy."""

    result: OnlineResult
    """Steps and seconds of the training."""
    untrained: dict[str, float]
    """Returns and length of episodes before the training."""
    trained: dict[str, float]
    """Returns and length of episodes after the training."""
    findings: tuple[Finding, ...] = ()
    """Findings of the comparison; none without demonstrations."""
    numbers: Mapping[str, float] = {}
    """Numbers of the comparison by name."""
    figures: Mapping[str, Figure] = {}
    """Pictures of the comparison by name."""


def load_demonstrations(reward: Path) -> DemonstrationSets | None:
    """Return the demonstrations of the run that a reward's folder lies in; None if there are none.

    Raises:
        ValueError: a file is damaged.
    """
    shown, held_out = reward.parent / SHOWN, reward.parent / HELD_OUT
    if not shown.exists():
        return None
    return DemonstrationSets(
        EpisodeStore.load(shown), EpisodeStore.load(held_out) if held_out.exists() else None
    )


def make_agent(
    spaces: tuple[gym.Space[Any], gym.Space[Any]],
    settings: AlgorithmSettings,
    reward: RewardModel,
    *,
    normalize_observations: bool,
    device: str | torch.device,
    seed: int,
) -> tuple[OnlineAlgorithm, AlgorithmSettings]:
    """Return an untrained algorithm and its settings.

    Args:
        spaces: observation and action space.
        settings: settings of the algorithm.
        reward: reward whose normalizer maps the data's range of each entry to [-1, 1].
        normalize_observations: read observations through that normalizer, if the reward has one.
        device: device of the networks.
        seed: random seed of the initial weights.
    """
    normalizer = obs_normalizer(reward) if normalize_observations else None
    if normalizer is not None and normalizer.dim != prod(spaces[0].shape or ()):
        normalizer = None  # the reward does not fit, which its wrapper reports
    settings = replace(settings, normalize_observations=normalizer is not None)
    return make_algorithm(*spaces, settings, obs_normalizer=normalizer, device=device, seed=seed), settings


def train_on_reward(
    algorithm: Algorithm[Any, Any],
    envs: TianshouLearnedReward,
    reward: RewardModel,
    *,
    algorithm_settings: AlgorithmSettings,
    settings: OnlineSettings,
    demonstrations: DemonstrationSets | None,
    folder: Path,
    seeds: tuple[int, int],
    n_episodes: int,
    resume: bool,
    normalize: bool = False,
    use_env_reward: bool = False,
    tracker: Trackers = "tensorboard",
    film: EpisodeFilm | None = None,
) -> PolicyRun:
    """Train a policy, save it to `<folder>/policy`, and compare its rollouts with demonstrations.

    During the training the distance of visited states to the demonstrations is logged, with a warning if the
    policy drifts away from them while its learned return rises.

    Args:
        algorithm: untrained algorithm for the spaces of `envs`.
        envs: environments with vector observations and the learned reward.
        reward: learned reward.
        algorithm_settings: settings of the algorithm, saved with the policy.
        settings: lengths, environments and updates of the training.
        demonstrations: demonstrations of the reward; None for no comparison.
        folder: folder of the run.
        seeds: seeds of the training and of the evaluations.
        n_episodes: number of episodes of each evaluation.
        resume: continue from the checkpoint in the folder, if there is one.
        normalize: train on the reward divided by its running standard deviation.
        use_env_reward: train on the environment's own reward.
        tracker: destination of returns and losses; see `train_online`.
        film: films of the policy at checkpoints.

    Raises:
        ValueError: the demonstrations do not fit the reward or the environment.
        CheckpointError: the checkpoint is damaged, or of another reward or other settings.
    """
    train_seed, eval_seed = seeds
    before = _Evaluation(algorithm.policy, envs, n_episodes, eval_seed, demonstrations is not None)
    monitor = distance = None
    if demonstrations is not None and before.episodes is not None:
        distance = DemonstrationDistance(demonstrations.all, before.episodes)
        monitor = DriftMonitor(distance)
    normalized = NormalizedReward(reward) if normalize else None
    if normalized is not None:
        normalized.updating = True  # in training only; evaluation is by the reward itself
    result = train_online(
        algorithm,
        envs.venv,
        reward=None if use_env_reward else reward if normalized is None else normalized,
        folder=folder,
        settings=settings,
        seed=train_seed,
        resume=resume,
        tracker=tracker,
        monitor=monitor,
        film=film,
    )
    save_policy(algorithm.policy, algorithm_settings, folder / "policy")
    if normalized is not None:
        normalized.updating = False
        normalized.save(folder / "reward")
    after = _Evaluation(algorithm.policy, envs, n_episodes, eval_seed, demonstrations is not None)
    run = PolicyRun(result, before.numbers, after.numbers)
    if demonstrations is None or monitor is None or distance is None:
        return run
    assert before.episodes is not None
    assert after.episodes is not None
    scores = score_rollouts(
        reward,
        demonstrations.held_out or demonstrations.shown,
        after.episodes,
        before.episodes,
        distance,
        length=demonstrations.length,
        rng=np.random.default_rng(eval_seed),
    )
    findings, numbers = policy_findings(scores, monitor)
    figures = draw_policy_pictures(reward, demonstrations.all, after.episodes, monitor)
    findings += ending_findings(demonstrations.all, after.episodes)
    return run._replace(findings=findings, numbers=numbers, figures=figures)


class _Evaluation:
    """Returns of whole episodes without exploration, and the episodes themselves if `stored`."""

    def __init__(
        self, policy: Policy, envs: TianshouLearnedReward, n_episodes: int, seed: int, stored: bool
    ) -> None:
        self.episodes: EpisodeStore | None = None
        if stored:
            recorder = RecordEpisodeReturns(envs)
            self.episodes = evaluate_policy(policy, recorder, n_episodes, seed=seed)
            records = recorder.finished
        else:
            records = evaluate_returns(policy, envs, n_episodes, seed=seed)
        true, learned, length = np.array(records, np.float64).T
        self.numbers = {
            "true_return": float(true.mean()),
            "true_return_error": float(true.std() / np.sqrt(len(true))),
            "learned_return": float(learned.mean()),
            "learned_return_error": float(learned.std() / np.sqrt(len(true))),
            "steps": float(length.mean()),
        }
