"""Rewards by method, and the policies that implicit Q-learning trains on them.

`Budget`           amount of training of every cell
`label`            data with the rewards of a method, and scores of these rewards
`train_policy`     policy from labeled data
`label_pairs`      comparisons by an oracle that errs
`PREFERENCES` ...  names of the methods
"""

from dataclasses import dataclass, replace

import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.trainer import OfflineTrainerParams

from benchmarks.preferences.worlds import World
from rlpriors.agents import OfflineSettings, make_offline_algorithm
from rlpriors.agents.preferences.fit import learn_from_preferences, preference_reward
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.evaluation.preferences.pair_accuracy import pair_agreement, score_pairs
from rlpriors.evaluation.rewards.epic import spearman
from rlpriors.preferences import OracleLabeler, PreferenceSet, collect_preferences, uniform_pairs
from rlpriors.rewards import NearestExpertReward, RewardModel
from rlpriors.rewards.baselines.segment_matching import SegmentMatching
from rlpriors.rewards.normalized import standardized

__all__ = [
    "BASELINES",
    "BC",
    "PREFERENCES",
    "QUICK",
    "RANDOM_POLICY",
    "RANDOM_REWARD",
    "TRUE_REWARD",
    "Budget",
    "Scores",
    "label",
    "label_pairs",
    "train_policy",
]

PREFERENCES, TRUE_REWARD, RANDOM_REWARD, BC = "preferences", "true_reward", "random_reward", "bc"
NEAREST, SEGMENTS, RANDOM_POLICY = "nearest_expert", "segment_matching", "random_policy"
BASELINES = (RANDOM_POLICY, TRUE_REWARD, BC, RANDOM_REWARD, NEAREST, SEGMENTS)

Scores = dict[str, float]
"""Metrics by name."""


@dataclass(frozen=True)
class Budget:
    """Amount of training of every cell."""

    reward_updates: int = 500
    """Number of updates of a reward from preferences, 40 pairs each."""
    policy_updates: int = 1500
    """Number of updates of a policy, 256 transitions each."""
    held_out_pairs: int = 1000
    """Number of correctly labeled held-out pairs."""
    expert_fraction: float = 0.05
    """Fraction of the episodes, the best by true return, that baselines from demonstrations receive."""


QUICK = Budget(reward_updates=2, policy_updates=2, held_out_pairs=10)

# Chosen on seed 100 with the true rewards, in two trials of each environment.
IQL = OfflineSettings(
    "iql",
    hidden=(64, 64),
    lr=3e-3,
    tau=0.02,
    gamma=0.98,
    expectile=0.8,
    beta=10.0,
    normalize_observations=True,
)


def label_pairs(world: World, data: EpisodeStore, n_pairs: int, flips: float, seed: int) -> PreferenceSet:
    """Return labels of uniformly drawn pairs by an oracle that errs with probability `flips`."""
    pairs = uniform_pairs(data, n_pairs, world.length, seed=seed)
    oracle = OracleLabeler(flip_probability=flips, seed=seed)
    return collect_preferences(oracle, data, pairs, world.length, world.name)


def label(
    world: World,
    method: str,
    stores: tuple[EpisodeStore, EpisodeStore],
    n_pairs: int,
    flips: float,
    seed: int,
    budget: Budget,
) -> tuple[EpisodeStore, Scores]:
    """Return the data with the rewards of a method, and scores of these rewards on held-out data."""
    data, held_out = stores
    if method in (TRUE_REWARD, BC):
        return data, {}
    if method == SEGMENTS:
        experts = best_episodes(data, budget)
        matching = SegmentMatching.fit(experts, data, obs_index=world.obs_index, device="cpu")
        relabeled = matching.relabel(held_out)
        return matching.relabel(data), {"spearman": spearman(relabeled.rew, held_out.rew)}
    reward = _reward(world, method, data, n_pairs, flips, seed, budget)
    pairs = label_pairs(world, held_out, budget.held_out_pairs, 0.0, seed + 7919)
    agreement = pair_agreement(score_pairs(reward, held_out, pairs), pairs.labels)
    return data.relabel(reward), {
        "spearman": spearman(held_out.relabel(reward).rew, held_out.rew),
        "accuracy": agreement.accuracy.estimate,
    }


def _reward(
    world: World, method: str, data: EpisodeStore, n_pairs: int, flips: float, seed: int, budget: Budget
) -> RewardModel:
    if method == RANDOM_REWARD:
        untrained = preference_reward(data, n_members=1, obs_index=world.obs_index, seed=seed)
        return standardized(untrained, data)
    if method == NEAREST:
        return NearestExpertReward.fit(
            best_episodes(data, budget), data, obs_index=world.obs_index, seed=seed, device="cpu"
        )
    preferences = label_pairs(world, data, n_pairs, flips, seed)
    # The true rewards are hidden: the method receives the labels and rewards of 0.
    hidden = replace(data, rew=np.zeros_like(data.rew))
    return learn_from_preferences(
        hidden,
        preferences,
        reward=preference_reward(hidden, obs_index=world.obs_index, seed=seed),
        n_updates=budget.reward_updates,
        device="cpu",
        seed=seed,
    )


def best_episodes(data: EpisodeStore, budget: Budget) -> EpisodeStore:
    """Return the episodes with the highest true returns."""
    returns = np.add.reduceat(data.rew.astype(np.float64), data.step_starts)
    n = max(1, round(budget.expert_fraction * data.n_episodes))
    return data.subset(np.sort(np.argsort(-returns, kind="stable")[:n]))


def train_policy(world: World, method: str, data: EpisodeStore, seed: int, budget: Budget) -> Policy:
    """Return a policy that implicit Q-learning, or behavior cloning, trained on labeled data."""
    algorithm = make_offline_algorithm(
        *world.spaces,
        replace(IQL, algorithm="bc") if method == BC else IQL,
        obs_normalizer=Normalizer.gaussian(data.obs),
        device="cpu",
        seed=seed,
    )
    algorithm.run_training(
        OfflineTrainerParams(
            buffer=to_buffer(data),
            batch_size=256,
            max_epochs=1,
            epoch_num_steps=budget.policy_updates,
            show_progress=False,
            verbose=False,
        )
    )
    policy: Policy = algorithm.policy.eval()
    return policy
