"""Evaluation of a learned reward without the true reward.

`RewardEvaluation`      findings, scores and input use of a reward
`evaluate_reward`       their computation on held-out episodes
`check_demonstrations`  findings on the demonstrations alone, before any training
`support_finding`       finding on the coverage of the demonstrations by the prior
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.dynamics_check import change_scales, dynamics_agreement
from rlpriors.evaluation.rewards.end_sharpness import end_sharpness
from rlpriors.evaluation.rewards.held_out import (
    HeldOutScores,
    held_out_scores,
    outside_range,
    peak_rank,
)
from rlpriors.evaluation.rewards.input_use import entry_names, input_use, order_in_episodes
from rlpriors.evaluation.rewards.verdict import Finding, grade, mean_epic
from rlpriors.rewards.base import RewardModel
from rlpriors.types import Transition

__all__ = ["RewardEvaluation", "check_demonstrations", "evaluate_reward", "support_finding"]

N_TRANSITIONS = 2000
LEAST_AGREEMENT = 0.4
N_CERTAIN = 10_000  # steps of data from which on a model of the dynamics is trusted


@dataclass(frozen=True)
class RewardEvaluation:
    """Findings, scores and input use of a reward."""

    findings: tuple[Finding, ...]
    """Findings, from the demonstrations to the reward."""
    scores: HeldOutScores
    """Scores on held-out episodes."""
    peak: float
    """Fraction of the data's steps with a lower reward than the best quarter of a demonstration."""
    order: float
    """Mean rank correlation of reward and time along the demonstrations."""
    sharpness: float
    """Fraction of the data's states near the ends of demonstrations with a lower reward than the ends; NaN
    where demonstrations have no such ends, or no such states exist."""
    input_use: Mapping[str, float]
    """Share of the reward's variance that each input entry accounts for."""
    agreement: Mapping[str, float]
    """Mean EPIC distance between rewards of halves of the demonstrations, and of other seeds."""

    @property
    def numbers(self) -> dict[str, float]:
        """All numbers by name."""
        return {
            "accuracy": self.scores.accuracy.estimate,
            "gap": self.scores.gap.estimate,
            "gap_low": self.scores.gap.low,
            "peak": self.peak,
            "order": self.order,
            **({} if math.isnan(self.sharpness) else {"sharpness": self.sharpness}),
            **{f"epic_{name}": distance for name, distance in self.agreement.items()},
            **{f"input_use/{name}": share for name, share in self.input_use.items()},
        }


def check_demonstrations(demonstrations: EpisodeStore, data: EpisodeStore) -> tuple[Finding, ...]:
    """Return findings on the demonstrations that need no training: range, dynamics and lengths."""
    fractions = outside_range(demonstrations, data)
    worst = int(fractions.argmax())
    name, fraction = entry_names(data)[worst], float(fractions[worst])
    findings = [
        Finding(
            "range",
            f"{fraction:.0%} outside",
            grade(fraction, good=0.1, bad=0.5),
            f"Fraction of demonstrated observations whose entry {name} lies outside the range of the data, "
            "the worst entry. A large fraction is a sign of other units or another environment, or of data "
            "that never goes where demonstrations go.",
        )
    ]
    agreement = dynamics_agreement(demonstrations, data, np.random.default_rng(0))
    findings.append(
        Finding(
            "dynamics",
            f"{agreement:.2f}",
            grade(agreement, good=0.7, bad=0.4 if data.n_steps >= N_CERTAIN else 0.15),
            "Fraction of the demonstrated changes that the demonstrated actions explain by a model of the "
            "data's dynamics, relative to the data. A small number means that actions do not belong to their "
            "observations, other units, or another environment. It is uncertain below 10,000 steps of data.",
        )
    )
    if agreement >= LEAST_AGREEMENT:  # otherwise scales have no meaning
        findings.append(_scale_finding(demonstrations, data))
    n_ended = int(demonstrations.terminated.sum())
    if n_ended or np.ptp(demonstrations.lengths) > 0:
        low, high = demonstrations.lengths.min(), demonstrations.lengths.max()
        known = n_ended == demonstrations.n_episodes or not (n_ended or data.terminated.any())
        findings.append(
            Finding(
                "lengths",
                f"{low} to {high} steps",
                "good" if known else "doubtful",
                f"{n_ended} of {demonstrations.n_episodes} demonstrations end by termination. Where episodes "
                "can end early, the sign of a reward decides if an agent ends them. Demonstrations that "
                "reach such an end need `terminated`.",
            )
        )
    if demonstrations.n_episodes < 5:
        findings.append(
            Finding(
                "demonstrations",
                str(demonstrations.n_episodes),
                "doubtful",
                "Number of demonstrations. The evaluation on held-out episodes needs at least 5. A single "
                "one is not held out: the reward was learned from it.",
            )
        )
    return tuple(findings)


def _scale_finding(demonstrations: EpisodeStore, data: EpisodeStore) -> Finding:
    certain = change_scales(demonstrations, data, np.random.default_rng(0)).certain()
    factors = np.abs(np.log(np.maximum(np.abs(certain), 1e-3)))
    worst = int(factors.argmax())
    return Finding(
        "scale",
        f"{certain[worst]:.2f}",
        grade(float(factors[worst]), good=float(np.log(1.45)), bad=float(np.log(1.6))),
        f"Demonstrated changes of the entry {entry_names(data)[worst]}, relative to those that the data's "
        "dynamics predict from observation and action, the worst entry. Far from 1, it, another entry or "
        "the actions have other units (2 or 0.5: twice or half of them).",
    )


def support_finding(coverage: float) -> Finding:
    """Return the finding on the fraction of demonstrated windows that the prior covers."""
    return Finding(
        "coverage",
        f"{coverage:.2f}",
        grade(coverage, good=0.8, bad=0.5),
        "Fraction of the demonstrations' windows that the prior restores from noise as well as its own data. "
        "Below 0.8 plans cannot follow the demonstrations, and the reward separates them by details. Record "
        "data that visits the same places in the same manner (--data), or more random steps (--collect).",
    )


def evaluate_reward(
    reward: RewardModel,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    *,
    halves: Sequence[RewardModel] = (),
    seeds: Sequence[RewardModel] = (),
    length: int,
    gamma: float = 0.99,
    seed: int = 0,
) -> RewardEvaluation:
    """Evaluate a reward on episodes that it was not trained on.

    Args:
        reward: learned reward.
        demonstrations: held-out demonstrations.
        data: held-out data.
        halves: rewards that were learned from disjoint halves of the demonstrations.
        seeds: rewards that were learned from the same demonstrations with other seeds.
        length: number of steps of a window.
        gamma: discount of potential shaping in EPIC.
        seed: seed of samples and intervals.
    """
    rng = np.random.default_rng(seed)
    scores = held_out_scores(reward, demonstrations, data, length=length, rng=rng)
    peak, order = peak_rank(reward, demonstrations, data), order_in_episodes(reward, demonstrations)
    sharpness = end_sharpness(reward, demonstrations, data)
    steps = data.transitions(rng.choice(data.n_steps, min(N_TRANSITIONS, data.n_steps), replace=False))
    on_device = Transition(*(part.to(reward.device) for part in steps))
    use = input_use(reward, on_device, entry_names(data), rng)
    agreement = {
        name: mean_epic(group, data, gamma=gamma, rng=rng, n=1000)
        for name, group in (("halves", halves), ("seeds", (reward, *seeds)))
        if len(group) > 1
    }
    findings = (
        *_score_findings(scores, peak, order),
        *_sharpness_findings(sharpness),
        *_agreement_findings(agreement),
    )
    return RewardEvaluation(findings, scores, peak, order, sharpness, use, agreement)


def _score_findings(scores: HeldOutScores, peak: float, order: float) -> tuple[Finding, ...]:
    return (
        Finding(
            "accuracy",
            str(scores.accuracy),
            grade(scores.accuracy.estimate, good=0.85, bad=0.7),
            "Fraction of pairs of held-out windows in which the demonstration has the higher reward than the "
            "data. Train longer (--reward-updates), or give data that behaves otherwise (--reference).",
        ),
        Finding(
            "gap",
            str(scores.gap),
            "good" if scores.gap.low > 0.5 else grade(scores.gap.low, good=0.5, bad=0.0),
            "Mean reward of held-out demonstrations minus that of held-out data, in standard deviations of "
            "the data's windows, with a 95 % interval over episodes.",
        ),
        Finding(
            "peak",
            f"{peak:.2f}",
            grade(peak, good=0.95, bad=0.85),
            "Fraction of the data's steps with a lower reward than the best quarter of a held-out "
            "demonstration. A policy that maximizes a reward with a low number goes elsewhere. Train longer "
            "(--reward-updates), or name the entries that matter (--obs-index).",
        ),
        Finding(
            "order",
            f"{order:.2f}",
            "good" if order > -0.3 else "doubtful",
            "Rank correlation of reward and time along held-out demonstrations: near 1 on ways to a goal, "
            "near 0 for repeated movements. A negative number means that it falls along demonstrations.",
        ),
    )


def _sharpness_findings(sharpness: float) -> tuple[Finding, ...]:
    if math.isnan(sharpness):
        return ()
    return (
        Finding(
            "sharpness",
            f"{sharpness:.2f}",
            grade(sharpness, good=0.5, bad=0.35),  # flat and rounded peaks are both above 0.5
            "Fraction of the data's states near the ends of held-out demonstrations with a clearly lower "
            "reward than the ends. Near 0.5 the reward is flat there, and a policy stays somewhere near; "
            "below it, states around the ends are better. Train longer (--reward-updates), or record "
            "demonstrations that stay at their end for a while.",
        ),
    )


def _agreement_findings(agreement: Mapping[str, float]) -> tuple[Finding, ...]:
    meanings = {
        "halves": "EPIC distance between rewards learned from disjoint halves of the demonstrations (0 "
        "equal, 0.71 unrelated). Record more demonstrations if it is large.",
        "seeds": "EPIC distance between the reward and one with another seed and fewer updates (0 equal, "
        "0.71 unrelated). Train longer if it is large (--reward-updates).",
    }
    return tuple(
        Finding(name, f"EPIC {distance:.2f}", grade(distance, good=0.3, bad=0.5), meanings[name])
        for name, distance in agreement.items()
    )
