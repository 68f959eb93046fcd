"""Training of rewards from preferences, resumable.

`train_preference_reward`  training of one reward with progress bar, logs and checkpoints
`PreferenceRewards`        learned reward, and accuracies for smaller numbers of labels
`learn_from_labels`        their training
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rlpriors.agents.preferences.fit import (
    BATCH_SIZE,
    default_optimizer,
    preference_reward,
)
from rlpriors.agents.preferences.graded import GradedEpisodes
from rlpriors.agents.preferences.preference_learning import PreferenceLearning
from rlpriors.agents.preferences.settings import PreferenceSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.intervals import Interval
from rlpriors.evaluation.preferences.pair_accuracy import pair_agreement, score_pairs
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.mlp import RewardInput
from rlpriors.rewards.normalized import standardized
from rlpriors.training.offline import train_offline
from rlpriors.training.reward_learning.stages import RewardInputs
from rlpriors.training.tracking.run_tracker import Trackers

__all__ = ["INPUTS", "PreferenceRewards", "learn_from_labels", "train_preference_reward"]

INPUTS: dict[RewardInputs, tuple[RewardInput, ...]] = {
    "observation": ("obs",),
    "observation-action": ("obs", "act"),
}
CURVE = (0.25, 0.5)
"""Fractions of the labels in the learning curve, next to all of them."""
FEWEST_LABELS = 10


class PreferenceRewards(NamedTuple):
    """Learned reward, and the accuracy by number of labels."""

    reward: RewardModel
    """Learned reward, with mean 0 and standard deviation 1 on the data."""
    curve: dict[int, Interval]
    """Accuracy on the held-out pairs by the number of labels; empty without held-out pairs."""


def train_preference_reward(
    reward: RewardModel,
    data: EpisodeStore,
    preferences: PreferenceSet,
    *,
    settings: PreferenceSettings | None = None,
    graded: GradedEpisodes | None = None,
    batch_size: int = BATCH_SIZE,
    folder: Path,
    name: str,
    n_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    device: str | torch.device = "auto",
) -> RewardModel:
    """Learn a reward by `PreferenceLearning`, and return it with mean 0 and deviation 1 on the data.

    Args:
        reward: untrained reward.
        data: episodes that the segments are part of.
        preferences: labeled pairs.
        settings: settings of the training.
        graded: episodes of graded quality, which are learned in addition.
        batch_size: number of pairs in an update.
        folder: see `train_offline`.
        name: see `train_offline`.
        n_updates: see `train_offline`.
        checkpoint_every: see `train_offline`.
        resume: see `train_offline`.
        tracker: see `train_offline`.
        device: device of the training.
        seed: random seed of batches and of the held-out pairs.
    """
    learning = PreferenceLearning(
        reward=reward,
        data=data,
        preferences=preferences,
        optim=default_optimizer(n_updates),
        settings=settings,
        graded=graded,
        device=device,
        seed=seed,
    )
    train_offline(
        learning,
        learning.buffer,
        folder=folder,
        name=name,
        n_updates=n_updates,
        batch_size=batch_size,
        epoch_updates=checkpoint_every,
        resume=resume,
        tracker=tracker,
        group="reward",
    )
    return standardized(learning.reward, data)


def learn_from_labels(
    data: EpisodeStore,
    preferences: PreferenceSet,
    held_out: PreferenceSet | None,
    *,
    inputs: RewardInputs = "observation",
    obs_index: tuple[int, ...] | None = None,
    curve: bool = True,
    folder: Path,
    n_updates: int,
    checkpoint_every: int,
    seed: int,
    resume: bool,
    tracker: Trackers = "tensorboard",
    device: str | torch.device = "auto",
) -> PreferenceRewards:
    """Learn a reward from all labels, and with `curve` two further ones from a quarter and half of them.

    The losses of the further rewards go to csv files in the folder.

    Args:
        data: episodes that the segments are part of.
        preferences: labeled pairs of the training.
        held_out: labeled pairs on which the accuracy is measured.
        inputs: inputs of the reward.
        obs_index: entries of the observation that it reads; None for all.
        curve: measure the accuracy for smaller numbers of labels, too.
        folder: see `train_offline`.
        n_updates: see `train_offline`.
        checkpoint_every: see `train_offline`.
        resume: see `train_offline`.
        tracker: see `train_offline`.
        device: device of the training.
        seed: seed of weights, batches and the choice of labels.
    """
    order = np.random.default_rng(seed).permutation(len(preferences))
    accuracies: dict[int, Interval] = {}

    def learn(pairs: PreferenceSet, name: str, to: Trackers) -> RewardModel:
        untrained = preference_reward(data, inputs=INPUTS[inputs], obs_index=obs_index, seed=seed)
        return train_preference_reward(
            untrained,
            data,
            pairs,
            folder=folder,
            name=name,
            n_updates=n_updates,
            checkpoint_every=checkpoint_every,
            seed=seed,
            resume=resume,
            tracker=to,
            device=device,
        )

    def measure(reward: RewardModel, n: int) -> None:
        if held_out is not None:
            scores = score_pairs(reward, data, held_out)
            accuracies[n] = pair_agreement(scores, held_out.labels).accuracy

    for number, fraction in enumerate(CURVE if curve and held_out is not None else ()):
        part = preferences.subset(np.sort(order[: round(fraction * len(preferences))]))
        if len(part.decided()) >= FEWEST_LABELS:
            measure(learn(part, f"curve-{number}", "csv"), len(part))
    reward = learn(preferences, "reward", tracker)
    measure(reward, len(preferences))
    return PreferenceRewards(reward, accuracies)
