"""EPIC: distance of two rewards that ignores scale and shaping (Gleave et al. 2021, arXiv 2006.13900).

`pearson`           linear correlation
`spearman`          rank correlation
`pearson_distance`  0 for rewards equal up to scale and offset, 1 for opposite ones
`canonical_reward`  reward without its potential shaping
`epic_distance`     Pearson distance of two canonical rewards

An EPIC distance of 0 means that both rewards have the same optimal policies under any dynamics.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.rewards.input_checks import (
    check_pairs,
    check_returned,
    check_sampled,
    check_transitions,
)
from rlpriors.types import RewardFn, Transition

__all__ = ["canonical_reward", "epic_distance", "pearson", "pearson_distance", "spearman"]


@array_arguments(a=1, b=1)
def pearson(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Compute the linear correlation, in [-1, 1].

    Raises:
        ValueError: fewer than two numbers, different lengths, NaN or infinity, or a constant input.
    """
    check_pairs(a=a, b=b)
    # Products of huge or tiny numbers would overflow or vanish.
    a, b = (x.astype(np.float64) for x in (a, b))
    return float(np.corrcoef(a / np.abs(a).max(), b / np.abs(b).max())[0, 1])


@array_arguments(a=1, b=1)
def spearman(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Compute the rank correlation, in [-1, 1]; equal numbers share their mean rank.

    Raises:
        ValueError: see `pearson`.
    """
    check_pairs(a=a, b=b)
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


@array_arguments(a=1, b=1)
def pearson_distance(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Compute `sqrt((1 - pearson) / 2)`, in [0, 1] (EPIC, section 4).

    Raises:
        ValueError: see `pearson`.
    """
    return float(np.sqrt(max(0.0, 1 - pearson(a, b)) / 2))


@check_arguments
def canonical_reward(
    reward: RewardFn,
    transitions: Transition,
    *,
    canonical_obs: Float[Tensor, "samples *obs"],
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int = 65536,
) -> Float[np.ndarray, " batch"]:
    """Compute `R(s,a,s') + E[gamma R(s',A,S') - R(s,A,S')]` from samples (EPIC, section 4).

    The constant `-E[gamma R(S,A,S')]` is left out, since correlations ignore it.  For any samples,
    adding `gamma phi(s') - phi(s)` to the reward changes the result by a constant only.

    Row i of `canonical_obs` and `canonical_act` is one draw of (S', A); draw the two independently.
    Each transition is combined with each draw, `batch_size` rows at a time: the reward is evaluated on
    2 x transitions x samples rows.

    The reward is treated as a function of (s, a, s'): `terminated` is always False, since no shaping
    is constant across ends of episodes.  All tensors are on the reward's device.

    Raises:
        ValueError: `gamma` or `batch_size` is out of bounds, there are no samples, or a tensor or a
            reward is NaN or infinite.
    """
    return _canonical_reward(
        "reward", reward, transitions, canonical_obs, canonical_act, gamma=gamma, batch_size=batch_size
    )


def _canonical_reward(
    name: str,
    reward: RewardFn,
    transitions: Transition,
    canonical_obs: Float[Tensor, "samples *obs"],
    canonical_act: Float[Tensor, "actions *act"],
    *,
    gamma: float,
    batch_size: int,
) -> Float[np.ndarray, " batch"]:
    """Compute `canonical_reward`; errors call the reward `name`."""
    if not 0 <= gamma <= 1 or batch_size < 1:
        raise ValueError(
            f"`gamma` must be in [0, 1] and `batch_size` at least 1. Received {gamma} and {batch_size}."
        )
    check_transitions(transitions)
    samples = len(canonical_obs)
    if samples < 1 or len(canonical_act) != samples:
        raise ValueError(
            "`canonical_obs` and `canonical_act` must have the same number of rows, at least 1. "
            f"Received {samples} and {len(canonical_act)}."
        )

    for given, samples_of, like in (
        ("canonical_obs", canonical_obs, transitions[0]),
        ("canonical_act", canonical_act, transitions[1]),
    ):
        if samples_of.shape[1:] != like.shape[1:]:
            raise ValueError(
                f"`{given}` must have rows of shape {tuple(like.shape[1:])}, as `transitions` have. Received "
                f"{tuple(samples_of.shape[1:])}."
            )

    check_sampled(canonical_obs=canonical_obs, canonical_act=canonical_act)

    def evaluate(obs: Tensor, act: Tensor, obs_next: Tensor) -> Tensor:
        with torch.no_grad():
            never = torch.zeros(len(obs), dtype=torch.bool, device=obs.device)
            scores = reward(obs, act, obs_next, never)
        return check_returned(name, scores, len(obs))

    def mean_from(obs: Tensor) -> Tensor:
        """Compute E[R(s,A,S')] for each row s."""
        means = []
        for chunk in obs.split(max(1, batch_size // samples)):
            rows = chunk.repeat_interleave(samples, dim=0)
            act = canonical_act.repeat(len(chunk), *[1] * (canonical_act.ndim - 1))
            obs_next = canonical_obs.repeat(len(chunk), *[1] * (canonical_obs.ndim - 1))
            scores = [
                evaluate(*part)
                for part in zip(*(x.split(batch_size) for x in (rows, act, obs_next)), strict=True)
            ]
            means.append(torch.cat(scores).view(len(chunk), samples).mean(1))
        return torch.cat(means)

    obs, act, obs_next, _ = transitions
    parts = zip(obs.split(batch_size), act.split(batch_size), obs_next.split(batch_size), strict=True)
    plain = torch.cat([evaluate(*part) for part in parts])
    canonical: np.ndarray = (plain + gamma * mean_from(obs_next) - mean_from(obs)).cpu().numpy()
    if not np.isfinite(canonical).all():
        raise ValueError(
            f"`reward` gave NaN or infinity on these transitions. Check `{name}` and its inputs."
        )
    # The rounding error of a reward that is only shaping must not count as a reward.
    if np.ptp(canonical) <= 1e-5 * float(plain.abs().max()):
        canonical = np.full_like(canonical, canonical.mean())
    return canonical


@check_arguments
def epic_distance(
    reward_a: RewardFn,
    reward_b: RewardFn,
    transitions: Transition,
    *,
    canonical_obs: Float[Tensor, "samples *obs"],
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int = 65536,
) -> float:
    """Compute the EPIC distance of two rewards, in [0, 1], which ignores scale and potential shaping.

    `transitions` are a sample of the coverage distribution, on which the rewards are compared.  For the
    other arguments see `canonical_reward`; both rewards use the same samples.  For rewards of the
    state alone, this is the Pearson distance at the transitions' `obs_next`.

    Raises:
        ValueError: a reward is constant or only shaping on these transitions, or an error of
            `canonical_reward`.
    """
    canonical = []
    for name, reward in (("reward_a", reward_a), ("reward_b", reward_b)):
        values = _canonical_reward(
            name, reward, transitions, canonical_obs, canonical_act, gamma=gamma, batch_size=batch_size
        )
        if len(values) < 2 or np.ptp(values) == 0:
            raise ValueError(
                f"`{name}` must vary by more than shaping on the {len(values)} `transitions`. Received a "
                "constant; pass more varied transitions, or train the reward."
            )
        canonical.append(values)
    return pearson_distance(canonical[0], canonical[1])
