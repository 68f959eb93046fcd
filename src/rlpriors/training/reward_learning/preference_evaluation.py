"""Evaluation of a reward that was learned from preferences, without the true reward.

`check_labels`           findings on the labels alone, before any training
`PreferenceEvaluation`   findings, numbers and pictures of a reward
`evaluate_preferences`   their computation on held-out pairs
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.intervals import Interval
from rlpriors.evaluation.preferences.pair_accuracy import pair_agreement, score_pairs
from rlpriors.evaluation.rewards.input_use import entry_names, input_use
from rlpriors.evaluation.rewards.verdict import Finding, grade, mean_epic
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.ensemble import EnsembleReward
from rlpriors.training.tracking.figures import panel
from rlpriors.types import Transition

__all__ = ["PreferenceEvaluation", "check_labels", "evaluate_preferences"]

N_TRANSITIONS, MOST_BARS, N_BINS = 2000, 12, 8


@dataclass(frozen=True)
class PreferenceEvaluation:
    """Findings, numbers and pictures of a reward."""

    findings: tuple[Finding, ...]
    """Findings on the reward."""
    numbers: Mapping[str, float]
    """All numbers by name."""
    figures: Mapping[str, Figure]
    """Pictures by name, one square panel each."""


def check_labels(preferences: PreferenceSet) -> tuple[Finding, ...]:
    """Return findings on the labels that need no training: their number, balance and decisions."""
    n, decided = len(preferences), preferences.decided()
    second = float((decided.labels == 1).mean()) if len(decided) else float("nan")
    # Of n labels by a fair coin, 99.9 % have a fraction within 3.3 standard deviations of 1/2.
    bound = 3.3 * 0.5 / max(1, len(decided)) ** 0.5
    return (
        Finding(
            "labels",
            f"{len(decided)} decided",
            grade(float(len(decided)), good=100.0, bad=20.0),
            "Number of pairs with a decision. Published studies use some hundreds to thousands; label more "
            "(rlpriors label) while the accuracy below still rises with their number.",
        ),
        Finding(
            "undecided",
            f"{1 - len(decided) / n:.0%}",
            grade(1 - len(decided) / n, good=0.3, bad=0.7),
            "Fraction of pairs without a decision, which are left out. Compare longer or more different "
            "segments if it is large.",
        ),
        Finding(
            "sides",
            f"{second:.2f}",
            grade(abs(second - 0.5), good=max(0.1, bound), bad=max(0.25, bound)),
            "Fraction of decisions for the second segment. Pairs have no order, so that a number far from "
            "0.5 is a sign of a labeler that prefers one side.",
        ),
    )


def evaluate_preferences(
    reward: RewardModel,
    data: EpisodeStore,
    held_out: PreferenceSet | None,
    curve: Mapping[int, Interval],
    *,
    gamma: float = 0.99,
    seed: int = 0,
) -> PreferenceEvaluation:
    """Evaluate a reward on labeled pairs that it was not trained on.

    Args:
        reward: learned reward.
        data: episodes that the segments are part of.
        held_out: held-out labeled pairs; None for none.
        curve: accuracy by the number of labels.
        gamma: discount of potential shaping in EPIC.
        seed: seed of samples.
    """
    rng = np.random.default_rng(seed)
    findings: list[Finding] = []
    numbers: dict[str, float] = {f"accuracy/{n}": accuracy.estimate for n, accuracy in curve.items()}
    figures: dict[str, Figure] = {}
    if held_out is None:
        findings.append(
            Finding("accuracy", "not measured", "doubtful", "No pairs were held out (--held-out).")
        )
    else:
        scores = score_pairs(reward, data, held_out)
        agreement = pair_agreement(scores, held_out.labels)
        numbers |= {
            "accuracy": agreement.accuracy.estimate,
            "accuracy_low": agreement.accuracy.low,
            "log_loss": agreement.log_loss,
        }
        findings += _accuracy_findings(agreement.accuracy, curve)
        figures["held_out_pairs"] = _draw_pairs(scores, held_out)
        figures["learning_curve"] = _draw_curve(curve)
    members = next((part for part in reward.modules() if isinstance(part, EnsembleReward)), None)
    if members is not None and len(members.members) > 1:
        distance = mean_epic(members.members, data, gamma=gamma, rng=rng, n=1000)
        numbers["epic_members"] = distance
        findings.append(
            Finding(
                "members",
                f"EPIC {distance:.2f}",
                grade(distance, good=0.3, bad=0.5),
                "EPIC distance between the members of the ensemble, which saw the same labels in other "
                "orders (0 equal, 0.71 unrelated). A large number means that the labels leave the reward "
                "open; label more pairs, best those on which the members disagree.",
            )
        )
    steps = data.transitions(rng.choice(data.n_steps, min(N_TRANSITIONS, data.n_steps), replace=False))
    use = input_use(reward, Transition(*(part.to(reward.device) for part in steps)), entry_names(data), rng)
    numbers |= {f"input_use/{name}": share for name, share in use.items()}
    figures["input_use"] = _draw_use(use)
    return PreferenceEvaluation(tuple(findings), numbers, figures)


def _accuracy_findings(accuracy: Interval, curve: Mapping[int, Interval]) -> list[Finding]:
    findings = [
        Finding(
            "accuracy",
            str(accuracy),
            grade(accuracy.estimate, good=0.75, bad=0.6),
            "Fraction of held-out pairs that the reward orders as their labels do, with a 95 % interval. Its "
            "ceiling is the labeler's own consistency: with 10 % wrong labels a perfect reward has 0.90.",
        ),
        Finding(
            "chance",
            f"{accuracy.low:.2f}",
            "good" if accuracy.low > 0.5 else "bad",
            "Lower end of this interval. At 0.5 and below the reward may order pairs by chance; label more.",
        ),
    ]
    if len(curve) > 1:
        values = [interval.estimate for interval in curve.values()]
        rise = values[-1] - values[-2]
        findings.append(
            Finding(
                "rise",
                f"{rise:+.2f}",
                "good" if rise < 0.05 else "doubtful",
                f"Change of the accuracy from {list(curve)[-2]} to {list(curve)[-1]} labels. While it rises, "
                "more labels help.",
            )
        )
    return findings


def _draw_pairs(scores: Float[np.ndarray, "pairs 2"], pairs: PreferenceSet) -> Figure:
    decided = pairs.labels >= 0
    difference = scores[decided, 1] - scores[decided, 0]

    def draw(ax: Axes) -> None:
        bins = np.histogram_bin_edges(difference, 2 * N_BINS).tolist()
        for label, color in ((1, "tab:blue"), (0, "tab:orange")):
            chosen = difference[pairs.labels[decided] == label]
            name = "second better" if label else "first better"
            ax.hist(chosen, bins, color=color, alpha=0.6, label=name)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_xlabel("reward of second minus first")
        ax.legend()

    return panel("Held-out pairs", draw)


def _draw_curve(curve: Mapping[int, Interval]) -> Figure:
    def draw(ax: Axes) -> None:
        mean, low, high = (np.array(values) for values in zip(*curve.values(), strict=True))
        ax.errorbar(list(curve), mean, yerr=(mean - low, high - mean), marker="o", capsize=4)
        ax.axhline(0.5, color="0.6", linewidth=0.8)
        ax.set_ylim(0.4, 1.02)
        ax.set_xlabel("labels")
        ax.set_ylabel("accuracy")

    return panel("Accuracy by labels", draw)


def _draw_use(use: Mapping[str, float]) -> Figure:
    def draw(ax: Axes) -> None:
        ranked = sorted(use.items(), key=lambda item: -item[1])[:MOST_BARS][::-1]
        ax.barh([name for name, _ in ranked], [share for _, share in ranked])
        ax.set_xlabel("share of the reward's variance")

    return panel("Inputs of the reward", draw)
