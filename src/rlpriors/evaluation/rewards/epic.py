"""How alike two rewards are.

`pearson`, `spearman`  correlations of two lists of numbers
`pearson_distance`     0 for the same up to scale and offset, 1 for opposite
`canonical_reward`     a reward without its potential shaping
`epic_distance`        the Pearson distance of two canonical rewards

EPIC is from Gleave et al. 2021, arXiv 2006.13900: 0 means that, whatever the dynamics, both rewards
want the same policies.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor

from rlpriors.types import RewardFn, Transition

__all__ = ["canonical_reward", "epic_distance", "pearson", "pearson_distance", "spearman"]


def pearson(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Linear correlation, in [-1, 1].

    Raises:
        ValueError: fewer than two numbers, different lengths, NaN or infinity, or all are the same.
    """
    _check(a, b)
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])


def spearman(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Correlation of the ranks, in [-1, 1]; equal numbers share their mean rank.

    Raises:
        ValueError: as `pearson`.
    """
    _check(a, b)
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def pearson_distance(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """`sqrt((1 - pearson) / 2)`, in [0, 1] (EPIC, section 4).

    Raises:
        ValueError: as `pearson`.
    """
    return float(np.sqrt(max(0.0, 1 - pearson(a, b)) / 2))


def canonical_reward(
    reward: RewardFn,
    transitions: Transition,
    *,
    canonical_obs: Float[Tensor, "samples *obs"],
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int = 65536,
) -> Float[np.ndarray, " batch"]:
    """`R(s,a,s') + E[gamma R(s',A,S') - R(s,A,S')]` (EPIC, section 4, from samples).

    The constant `-E[gamma R(S,A,S')]` is left out: correlations do not see it.  Adding
    `gamma phi(s') - phi(s)` to the reward changes the result by a constant only, and exactly so
    for any samples.

    Row i of `canonical_obs` and `canonical_act` is one draw of (S', A): draw the two independently.
    Every transition meets every draw, `batch_size` at a time, so the reward is called on
    2 x transitions x samples rows.

    The reward is taken as a function of (s, a, s'): it is always told `terminated = False`, since
    no shaping is constant across the ends of episodes.  All tensors are on the reward's device.

    Raises:
        ValueError: `gamma` or `batch_size` is out of bounds, there are no samples, or the reward
            gives NaN or infinity.
    """
    if not 0 <= gamma <= 1 or batch_size < 1:
        raise ValueError(
            f"`gamma` must be in [0, 1] and `batch_size` at least 1. Received {gamma} and {batch_size}."
        )
    samples = len(canonical_obs)
    if samples < 1 or len(canonical_act) != samples:
        raise ValueError(
            "`canonical_obs` and `canonical_act` must have the same number of rows, at least 1. "
            f"Received {samples} and {len(canonical_act)}."
        )

    def judge(obs: Tensor, act: Tensor, obs_next: Tensor) -> Tensor:
        with torch.no_grad():
            never = torch.zeros(len(obs), dtype=torch.bool, device=obs.device)
            return reward(obs, act, obs_next, never).double()

    def mean_from(obs: Tensor) -> Tensor:
        """E[R(s,A,S')] for each row s."""
        means = []
        for some in obs.split(max(1, batch_size // samples)):
            rows = some.repeat_interleave(samples, dim=0)
            act = canonical_act.repeat(len(some), *[1] * (canonical_act.ndim - 1))
            obs_next = canonical_obs.repeat(len(some), *[1] * (canonical_obs.ndim - 1))
            judged = [
                judge(*part)
                for part in zip(*(x.split(batch_size) for x in (rows, act, obs_next)), strict=True)
            ]
            means.append(torch.cat(judged).view(len(some), samples).mean(1))
        return torch.cat(means)

    obs, act, obs_next, _ = transitions
    parts = zip(obs.split(batch_size), act.split(batch_size), obs_next.split(batch_size), strict=True)
    plain = torch.cat([judge(*part) for part in parts])
    canonical: np.ndarray = (plain + gamma * mean_from(obs_next) - mean_from(obs)).cpu().numpy()
    if not np.isfinite(canonical).all():
        raise ValueError(
            "`reward` gave NaN or infinity on these transitions. Check the model and its inputs."
        )
    # What rounding leaves of a reward that is shaping and nothing else must not look like a reward.
    if np.ptp(canonical) <= 1e-5 * float(plain.abs().max()):
        canonical = np.full_like(canonical, canonical.mean())
    return canonical


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
    """Distance of two rewards, in [0, 1], that neither scale nor potential shaping changes.

    `transitions` are a sample of the coverage distribution: where the two are compared.  For
    the other arguments see `canonical_reward`; both rewards meet the same samples.
    For rewards of the state alone this is the Pearson distance at the transitions' `obs_next`.

    Raises:
        ValueError: as `canonical_reward`, or a reward is nothing but shaping on these transitions.
    """
    canonical = []
    for name, reward in (("reward_a", reward_a), ("reward_b", reward_b)):
        values = canonical_reward(
            reward,
            transitions,
            canonical_obs=canonical_obs,
            canonical_act=canonical_act,
            gamma=gamma,
            batch_size=batch_size,
        )
        if len(values) < 2 or np.ptp(values) == 0:
            raise ValueError(
                f"`{name}` is constant or nothing but shaping on the {len(values)} `transitions`: a "
                "distance has no meaning. Give more varied transitions, or train the reward."
            )
        canonical.append(values)
    return pearson_distance(canonical[0], canonical[1])


def _check(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> None:
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(
            f"`a` and `b` must have the same length, at least 2. Received {len(a)} and {len(b)}."
        )
    for name, x in (("a", a), ("b", b)):
        if not np.isfinite(x).all():
            raise ValueError(
                f"`{name}` must be finite. Received {int((~np.isfinite(x)).sum())} NaN or infinite."
            )
        # Below this spread the correlation is rounding noise, as scipy warns too.
        if np.ptp(x) <= 1e-12 * np.abs(x).max():
            raise ValueError(
                f"`{name}` is constant ({float(x[0]):g}), so a correlation has no meaning. Compare on more "
                "varied data, or check that the reward learnt anything."
            )
