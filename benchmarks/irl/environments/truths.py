"""Agreement of a reward with the two truths of an environment: the step reward and progress.

`truth_metrics`       Pearson's and Spearman's correlations and EPIC distance with one truth
`mean_future_reward`  progress where only recorded rewards are known
"""

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.epic import epic_distance, pearson, spearman
from rlpriors.types import RewardFn

__all__ = ["mean_future_reward", "truth_metrics"]

N_STEPS, N_EPIC_STEPS, N_CANONICAL = 4000, 1000, 128


def truth_metrics(
    reward: RewardFn, store: EpisodeStore, name: str, truth: RewardFn | None, gamma: float, suffix: str = ""
) -> dict[str, float]:
    """Return `<name>_pearson`, `<name>_spearman` and `<name>_epic` on steps of a store.

    A reward that is constant on these steps has the correlations 0.  A truth that is constant has no metrics.

    Args:
        reward: reward to evaluate.
        store: episodes that cover the distribution on which rewards are compared.
        name: "step" or "progress", the start of the metrics' names.
        truth: true reward as a function.  None compares with recorded rewards: those of the steps for
            "step", `mean_future_reward` for "progress".  EPIC needs a function and is left out then.
        gamma: discount factor.
        suffix: end of the metrics' names.
    """
    rng = np.random.default_rng(0)
    steps = rng.choice(store.n_steps, min(N_STEPS, store.n_steps), replace=False)
    transitions = store.transitions(steps)
    with torch.no_grad():
        learned = reward(*transitions).double().numpy()
        if truth is not None:
            true = truth(*transitions).double().numpy()
        else:
            recorded = store.rew if name == "step" else mean_future_reward(store, gamma)
            true = recorded[steps].astype(np.float64)
    if np.ptp(true) == 0:
        return {}
    constant = np.ptp(learned) == 0
    metrics = {
        f"{name}_pearson{suffix}": 0.0 if constant else pearson(learned, true),
        f"{name}_spearman{suffix}": 0.0 if constant else spearman(learned, true),
    }
    if truth is not None and not constant:
        # Independent draws of states and actions, as EPIC requires.
        obs = store.transitions(rng.choice(store.n_steps, N_CANONICAL)).obs
        act = store.transitions(rng.choice(store.n_steps, N_CANONICAL)).act
        few = store.transitions(steps[:N_EPIC_STEPS])
        canonical: dict[str, Any] = {"canonical_obs": obs, "canonical_act": act, "gamma": gamma}
        with suppress(ValueError):  # constant up to shaping: no distance is defined
            metrics[f"{name}_epic{suffix}"] = epic_distance(reward, truth, few, **canonical)
    return metrics


def mean_future_reward(store: EpisodeStore, gamma: float) -> Float[np.ndarray, " steps"]:
    """Return the discounted mean of the rewards from each step to the end of its episode.

    After a termination all rewards are 0 and count.  After a truncation they are unknown and do not count.

    Example:
        >>> store = EpisodeStore(np.zeros((3, 1)), np.zeros((2, 1)), np.array([1.0, 4.0]),
        ...     np.zeros(2, bool), np.array([False, True]), np.array([2]))
        >>> mean_future_reward(store, 0.5)  # (1 + 4 / 2) / (1 + 1 / 2), and 4 / 1
        array([2., 4.])
    """
    values = np.empty(store.n_steps)
    for start, length in zip(store.step_starts, store.lengths, strict=True):
        last = start + length - 1
        total, weight = 0.0, gamma / (1 - gamma) if store.terminated[last] else 0.0
        for step in range(last, start - 1, -1):
            total = float(store.rew[step]) + gamma * total
            weight = 1 + gamma * weight if step < last else 1 + weight
            values[step] = total / weight
    return values
