"""Rewards that the benchmark's agents follow without training: from demonstrations, and from preferences.

`learned_rewards`  both rewards of a world, learned once
`TRUTHS`           names of the true rewards that the learned ones stand for
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.zero_shot.worlds import WORLDS, load_data
from rlpriors.agents.preferences.fit import learn_from_preferences, preference_reward
from rlpriors.data.episodes import EpisodeStore
from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.training.reward_learning.choices import choose_window
from rlpriors.training.reward_learning.pipeline import learn_prior, learn_rewards

__all__ = ["TRUTHS", "learned_rewards"]

TRUTHS = {"diffusion-irl": "goal-distance", "preferences": "other-end"}
"""Names of the true rewards that the learned ones stand for."""

SEED = 0
"""Seed of the rewards, which all seeds of the agents share."""
N_DEMONSTRATIONS, N_PAIRS, SEGMENT = 20, 500, 10


def learned_rewards(name: str, folder: Path, *, prior_updates: int, updates: int) -> dict[str, RewardModel]:
    """Return both rewards of a world; they are learned at the first call, and kept in `folder`.

    Args:
        name: name of the world.
        folder: folder of data and rewards.
        prior_updates: number of updates of the prior of `DiffusionIRL`.
        updates: number of updates of each reward.
    """
    torch.set_num_threads(1)
    rewards = {}
    for kind, learn in (("diffusion-irl", _from_demonstrations), ("preferences", _from_preferences)):
        place = folder / f"{name}-{kind}"
        if not (place / "reward" / "config.json").exists():
            data = load_data(name, folder, SEED)
            learn(name, data, place, prior_updates, updates).save(place / "reward")
        rewards[kind] = load_reward(place / "reward", "cpu")
    return rewards


def _from_demonstrations(
    name: str, data: EpisodeStore, folder: Path, prior_updates: int, updates: int
) -> RewardModel:
    """Learn a reward of the episodes that go to the place of "goal-distance"."""
    world = WORLDS[name]()
    demonstrations = world.demonstrations(N_DEMONSTRATIONS, SEED + 1)
    window = choose_window(demonstrations, data)
    prior = learn_prior(
        data,
        window,
        folder=folder,
        n_updates=prior_updates,
        checkpoint_every=min(100, prior_updates),
        seed=SEED,
        resume=True,
        tracker="csv",
        device="cpu",
    )
    return learn_rewards(
        prior,
        demonstrations,
        data,
        obs_index=world.task_entries,
        folder=folder,
        n_updates=updates,
        agreement_updates=0,
        checkpoint_every=min(100, updates),
        seed=SEED,
        resume=True,
        tracker="csv",
    ).reward


def _from_preferences(
    name: str, data: EpisodeStore, folder: Path, prior_updates: int, updates: int
) -> RewardModel:
    """Learn a reward of pairs of segments that an oracle labels by "other-end"."""
    world = WORLDS[name]()
    true = data.relabel(world.rewards()[TRUTHS["preferences"]])
    pairs = uniform_pairs(true, N_PAIRS, SEGMENT, seed=SEED)
    labels = collect_preferences(OracleLabeler(seed=SEED), true, pairs, SEGMENT, name)
    assert not np.any(data.rew)  # only the labels know the true reward
    return learn_from_preferences(
        data,
        labels,
        reward=preference_reward(data, obs_index=world.task_entries, seed=SEED),
        n_updates=updates,
        device="cpu",
        seed=SEED,
    )
