"""DARD: distance of two rewards on reachable transitions (Wulfe et al. 2022, arXiv 2201.10081).

`dynamics_canonical_rewards`  rewards without potential shaping, computed with a transition model
`dard_distance`               Pearson distance of two of them

EPIC evaluates rewards on transitions between any two observations, most of which are impossible and far
from training data.  DARD evaluates them on next observations from a simulator or a learned model.
`tabular_distances` holds the exact version.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.evaluation.rewards.epic import pearson_distance
from rlpriors.evaluation.rewards.input_checks import check_returned, check_sampled, check_transitions
from rlpriors.types import RewardFn, Transition

__all__ = ["SampleNext", "dard_distance", "dynamics_canonical_rewards"]

SampleNext = Callable[[Tensor, Tensor], Tensor]
"""Function that draws a next observation for each row of (obs, act): a simulator or a learned model."""


def dynamics_canonical_rewards(
    rewards: Sequence[RewardFn],
    transitions: Transition,
    *,
    sample_next: SampleNext,
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int = 65536,
) -> Float[np.ndarray, "rewards batch"]:
    """Compute `R(s,a,s') + E[gamma R(s',A,S'') - R(s,A,S') - gamma R(S',A,S'')]` (DARD, definition 4).

    For each transition, each row A of `canonical_act` gives one draw of S' from (s, A) and one of S''
    from (s', A).  All rewards use the same draws, so adding `gamma phi(s') - phi(s)` to one changes
    only rounding errors, for any number of draws.  A reward is evaluated on
    transitions x (3 x actions + 1) rows, always with `terminated` False.  All tensors are on the
    rewards' device.

    Raises:
        ValueError: an argument is out of bounds or not finite, `sample_next` returns a wrong shape, or a
            reward returns NaN or infinity.
    """
    named = [(f"rewards[{number}]", reward) for number, reward in enumerate(rewards)]
    return _canonical_rewards(
        named,
        transitions,
        sample_next=sample_next,
        canonical_act=canonical_act,
        gamma=gamma,
        batch_size=batch_size,
    )


def _canonical_rewards(
    rewards: Sequence[tuple[str, RewardFn]],
    transitions: Transition,
    *,
    sample_next: SampleNext,
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int,
) -> Float[np.ndarray, "rewards batch"]:
    """Compute `dynamics_canonical_rewards` of rewards with the names that errors call them."""
    draws = len(canonical_act)
    if not 0 <= gamma <= 1 or batch_size < 1 or draws < 1 or not rewards:
        raise ValueError(
            "`gamma` must be in [0, 1], `batch_size` at least 1, and `rewards` and `canonical_act` must hold "
            f"at least one. Received {gamma}, {batch_size}, {len(rewards)} rewards and {draws} actions."
        )
    check_transitions(transitions)
    check_sampled(canonical_act=canonical_act)
    columns: list[list[Tensor]] = [[] for _ in rewards]
    sizes = [0.0] * len(rewards)
    rows = max(1, batch_size // draws)
    with torch.no_grad():
        for obs, act, obs_next in zip(*(part.split(rows) for part in transitions[:3]), strict=True):
            acts = canonical_act.repeat(len(obs), *[1] * (canonical_act.ndim - 1))
            here, there = (x.repeat_interleave(draws, dim=0) for x in (obs, obs_next))
            after, later = (_sampled(sample_next, x, acts) for x in (here, there))
            for number, (name, reward) in enumerate(rewards):
                plain = _evaluate(name, reward, obs, act, obs_next)
                onward, back, cross = (
                    _evaluate(name, reward, start, acts, end).view(-1, draws).mean(1)
                    for start, end in ((there, later), (here, after), (after, later))
                )
                columns[number].append(plain + gamma * onward - back - gamma * cross)
                sizes[number] = max(sizes[number], float(plain.abs().max()))
    canonical: np.ndarray = torch.stack([torch.cat(column) for column in columns]).cpu().numpy()
    for (name, _), values in zip(rewards, canonical, strict=True):
        if not np.isfinite(values).all():
            raise ValueError(
                f"`rewards` gave NaN or infinity on these transitions. Check `{name}` and its inputs."
            )
    # The rounding error of a reward that is only shaping must not count as a reward.
    for values, size in zip(canonical, sizes, strict=True):
        if np.ptp(values) <= 1e-5 * size:
            values[:] = values.mean()
    return canonical


@check_arguments
def dard_distance(
    reward_a: RewardFn,
    reward_b: RewardFn,
    transitions: Transition,
    *,
    sample_next: SampleNext,
    canonical_act: Float[Tensor, "actions *act"],
    gamma: float,
    batch_size: int = 65536,
) -> float:
    """Compute the DARD distance of two rewards, in [0, 1], which ignores scale and potential shaping.

    `transitions` are a sample of the coverage distribution and should be possible.  For the other
    arguments see `dynamics_canonical_rewards`.

    Raises:
        ValueError: a reward is constant or only shaping on these transitions, or an error of
            `dynamics_canonical_rewards`.
    """
    canonical = _canonical_rewards(
        [("reward_a", reward_a), ("reward_b", reward_b)],
        transitions,
        sample_next=sample_next,
        canonical_act=canonical_act,
        gamma=gamma,
        batch_size=batch_size,
    )
    for name, values in zip(("reward_a", "reward_b"), canonical, strict=True):
        if len(values) < 2 or np.ptp(values) == 0:
            raise ValueError(
                f"`{name}` must vary by more than shaping on the {len(values)} `transitions`. Received a "
                "constant; pass more varied transitions, or train the reward."
            )
    return pearson_distance(canonical[0], canonical[1])


def _sampled(sample_next: SampleNext, obs: Tensor, act: Tensor) -> Tensor:
    given = sample_next(obs, act)
    if not isinstance(given, Tensor) or given.shape != obs.shape:
        received = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
        raise ValueError(
            f"`sample_next` must return one next observation a row, shape {tuple(obs.shape)}. "
            f"Received {received}."
        )
    return given.to(obs)


def _evaluate(name: str, reward: RewardFn, obs: Tensor, act: Tensor, obs_next: Tensor) -> Tensor:
    never = torch.zeros(len(obs), dtype=torch.bool, device=obs.device)
    return check_returned(name, reward(obs, act, obs_next, never), len(obs))
