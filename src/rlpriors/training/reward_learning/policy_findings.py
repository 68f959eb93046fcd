"""Findings on a policy that was trained on a learned reward, without the true reward.

`policy_findings`  findings and numbers of the comparison with demonstrations
"""

import math

from rlpriors.evaluation.rewards.verdict import Finding, grade
from rlpriors.evaluation.rollouts.rollout_scores import RolloutScores
from rlpriors.training.drift_monitor import DriftMonitor

__all__ = ["policy_findings"]


def policy_findings(
    scores: RolloutScores, monitor: DriftMonitor
) -> tuple[tuple[Finding, ...], dict[str, float]]:
    """Return findings on a policy's rollouts and training, and their numbers by name.

    Args:
        scores: scores of the rollouts after the training.
        monitor: training episodes.
    """
    drift = monitor.finding()
    # A policy that has not learned the reward yet does not show what the reward pays for.
    progress = grade(scores.progress.estimate, good=0.8, bad=0.5)
    progress = "doubtful" if progress == "bad" and scores.progress.high >= 0.5 else progress
    closeness = grade(scores.closeness, good=0.7, bad=0.4)
    findings = (
        Finding(
            "progress",
            str(scores.progress),
            progress,
            "Learned return of a policy that was trained on the reward, as a fraction of the way from an "
            "untrained policy (0) to held-out demonstrations (1), with a 95 % interval over episodes. If it "
            "is small, train longer (--policy-steps of learn-reward, --env-steps of train-policy).",
        ),
        Finding(
            "closeness",
            f"{scores.closeness:.2f}",
            "doubtful" if closeness == "bad" and progress != "good" else closeness,
            "Distance of the policy's states to the nearest demonstrated state, as a fraction of the way "
            "from the untrained policy's (0) to that between demonstrations (1). If it is small and the "
            "progress is large, the reward pays for states that no demonstration visits.",
        ),
        Finding(
            "rollouts",
            f"{scores.separability:.2f}",
            "good" if not scores.separability > 0.9 else "doubtful",
            "Accuracy of a classifier between states of demonstrations and of the policy, by "
            "cross-validation over episodes (0.5: not separable). Another way to the same goal is "
            "separable, too.",
        ),
        drift,
    )
    numbers = {
        "progress": scores.progress.estimate,
        "progress_low": scores.progress.low,
        "closeness": scores.closeness,
        "rollout_accuracy": scores.accuracy,
        "rollout_separability": scores.separability,
        "drift": float(drift.level != "good"),
    }
    return findings, {name: number for name, number in numbers.items() if not math.isnan(number)}
