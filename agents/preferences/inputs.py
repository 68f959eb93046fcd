"""Checks and splits of the inputs of preference learning.

`check_reward`        check of a reward against data and graded episodes
`used_pairs`          pairs that are learned from
`split_pairs`         pairs of the training and held-out pairs
`inputs_fingerprint`  fingerprint of data, labels and grades
"""

from hashlib import sha256
from typing import Literal

import numpy as np

from rlpriors.agents.preferences.graded import GradedEpisodes
from rlpriors.agents.validation import check_sizes, check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel

__all__ = ["check_reward", "inputs_fingerprint", "split_pairs", "used_pairs"]


def check_reward(reward: RewardModel, data: EpisodeStore, graded: GradedEpisodes | None) -> None:
    """Check that a reward can be trained on data and graded episodes.

    Raises:
        TypeError: an argument is of another class.
        ValueError: the reward does not fit the data, or has nothing to train.
    """
    check_type("reward", reward, RewardModel, "make one with `preference_reward(data)`")
    check_type("data", data, EpisodeStore, "convert a buffer by `from_buffer`")
    shape = data.obs.shape[1:] or (1,)
    if shape != reward.obs_shape and (len(shape) > 1 or reward.image_shape is not None):
        raise ValueError(
            f"`data` must have the observations that the reward reads, of shape {reward.obs_shape}. Received "
            f"{shape}; make a reward of images with `preference_reward(data)`, or encode them first."
        )
    check_sizes(data, obs=reward.obs_dim, act=reward.act_dim)
    if graded is not None:
        check_type("graded", graded, GradedEpisodes, "write GradedEpisodes(store, grades, length)")
        check_sizes(graded.store, obs=reward.obs_dim, act=reward.act_dim)
    if not any(weight.requires_grad for weight in reward.parameters()):
        raise ValueError(
            "`reward` must have weights to train. Received a "
            f"{type(reward).__name__} without; make one with `preference_reward(data)`."
        )


def used_pairs(
    preferences: PreferenceSet, data: EpisodeStore, undecided: Literal["drop", "half"]
) -> PreferenceSet:
    """Return the pairs that are learned from: the decided ones, or all.

    Raises:
        TypeError: `preferences` is of another class.
        ValueError: the pairs are of other data, or fewer than two are left.
    """
    check_type("preferences", preferences, PreferenceSet, "collect them by `collect_preferences`")
    preferences.check(data)
    used = preferences.decided() if undecided == "drop" else preferences
    if len(used) < 2:
        raise ValueError(
            "`preferences` must hold at least 2 pairs to learn from. Received "
            f"{len(used)} of {len(preferences)} pairs, without undecided ones; label more."
        )
    return used


def split_pairs(
    pairs: PreferenceSet, fraction: float, seed: int
) -> tuple[PreferenceSet, PreferenceSet | None]:
    """Return pairs of the training and held-out ones; None for the fraction 0.

    Raises:
        ValueError: one of both would be empty.
    """
    if fraction == 0 or len(pairs.labels) < 2:
        return pairs, None
    training, held_out = pairs.split(fraction, seed)
    if not len(training.labels) or not len(held_out.labels):
        raise ValueError(
            f"`held_out` must leave pairs for the training and for the measurement. Received {fraction} and "
            f"{len(pairs.labels)} pairs; label more, or set held_out=0."
        )
    return training, held_out


def inputs_fingerprint(data: EpisodeStore, preferences: PreferenceSet, graded: GradedEpisodes | None) -> str:
    """Return 32 hexadecimal digits for data, labels and grades."""
    digest = sha256(store_fingerprint(data).encode())
    for array in (preferences.clips, preferences.labels, preferences.confidence):
        digest.update(np.ascontiguousarray(array).tobytes())
    if graded is not None:
        digest.update(store_fingerprint(graded.store).encode())
        digest.update(np.ascontiguousarray(graded.grades).tobytes())
    return digest.hexdigest()[:32]
