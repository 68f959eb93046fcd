"""Verdict on a learned reward without the true reward.

`Finding`       one number of the evaluation with its level and its meaning
`Level`         values of `Finding.level`
`grade`         level of a number between two bounds
`verdict_line`  one sentence over all findings
`mean_epic`     mean EPIC distance between rewards, over all pairs

A reward that is learned from demonstrations has no error to report: the true reward is unknown.  These
numbers are necessary conditions.  A reward that fails one of them is not trusted; a reward that passes all of
them may still be wrong where neither demonstrations nor data go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.epic import epic_distance
from rlpriors.settings import check_fields
from rlpriors.types import RewardFn, Transition

__all__ = ["Finding", "Level", "grade", "mean_epic", "verdict_line"]

Level = Literal["good", "doubtful", "bad"]
"""Levels of a finding, from best to worst."""

_LEVELS: tuple[Level, ...] = ("good", "doubtful", "bad")


@dataclass(frozen=True)
class Finding:
    """One number of an evaluation, with its level and its meaning."""

    name: str
    """Short name of the number."""
    value: str
    """Number as text, with its interval if it has one."""
    level: Level
    """Level of the number."""
    meaning: str
    """Meaning of the number, and the remedy if it is not good."""

    def __post_init__(self) -> None:
        check_fields(self)


def grade(value: float, good: float, bad: float) -> Level:
    """Return "good" from the bound `good` on, "bad" beyond the bound `bad`, and "doubtful" between both.

    Large numbers are good if `good` is above `bad`, small ones otherwise.

    Example:
        >>> grade(0.9, good=0.8, bad=0.6), grade(0.7, good=0.8, bad=0.6), grade(0.5, good=0.2, bad=0.4)
        ('good', 'doubtful', 'bad')
    """
    sign = 1 if good > bad else -1
    if sign * value >= sign * good:
        return "good"
    return "bad" if sign * value < sign * bad else "doubtful"


def verdict_line(findings: Sequence[Finding]) -> tuple[Level, str]:
    """Return the worst level of all findings, and a sentence that names the findings of this level.

    Example:
        >>> findings = [Finding("coverage", "0.20", "bad", "..."), Finding("order", "0.90", "good", "...")]
        >>> verdict_line(findings)
        ('bad', 'Do not use this reward yet: coverage 0.20.')
    """
    worst = _LEVELS[max((_LEVELS.index(finding.level) for finding in findings), default=0)]
    named = ", ".join(f"{f.name} {f.value}" for f in findings if f.level == worst)
    if worst == "good":
        return worst, "The reward passes all checks that need no true reward."
    start = "Use this reward with care" if worst == "doubtful" else "Do not use this reward yet"
    return worst, f"{start}: {named}."


def mean_epic(
    rewards: Sequence[RewardFn], data: EpisodeStore, *, gamma: float, rng: np.random.Generator, n: int = 2000
) -> float:
    """Return the mean EPIC distance over all pairs of rewards, on transitions of the data, in [0, 1].

    Args:
        rewards: at least two rewards on one device.
        data: data with the transitions.
        gamma: discount of potential shaping.
        rng: generator of the sample.
        n: number of transitions.

    Raises:
        ValueError: there are fewer than two rewards, or one is constant on the data.
    """
    if len(rewards) < 2:
        raise ValueError(f"`rewards` must contain at least two rewards. Received {len(rewards)}.")
    device = getattr(rewards[0], "device", "cpu")
    sample = data.transitions(rng.choice(data.n_steps, min(n, data.n_steps), replace=False))
    canonical = data.transitions(rng.choice(data.n_steps, 256))
    acts = data.transitions(rng.choice(data.n_steps, 256)).act
    distances = [
        epic_distance(
            a,
            b,
            Transition(*(part.to(device) for part in sample)),
            canonical_obs=canonical.obs.to(device),
            canonical_act=acts.to(device),
            gamma=gamma,
        )
        for a, b in combinations(rewards, 2)
    ]
    return float(np.mean(distances))
