"""Findings on a policy that was trained on a learned reward, without the true reward.

`policy_findings`  findings and numbers of the comparison with demonstrations
`ending_findings`  finding on the ends of episodes, where some terminate
"""

import math

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.verdict import Finding, grade
from rlpriors.evaluation.rollouts.rollout_scores import RolloutScores
from rlpriors.training.drift_monitor import DriftMonitor

__all__ = ["ending_findings", "policy_findings"]


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


def ending_findings(demonstrations: EpisodeStore, rollouts: EpisodeStore) -> tuple[Finding, ...]:
    """Return the finding on the fraction of episodes that terminate; none if no episode does.

    A reward above 0 near a goal that ends the episode pays for staying in front of it.  The learned return
    and the distance to the demonstrations do not show this.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> def walks(*ends):
        ...     return EpisodeStore.from_episodes([Episode(np.zeros((2, 1)), np.ones((1, 1)), np.zeros(1),
        ...         np.array([end]), np.zeros(1)) for end in ends])
        >>> [finding] = ending_findings(walks(1, 1), walks(1, 0, 0, 0))
        >>> finding.value, finding.level
        ('25% terminate, 100% demonstrated', 'bad')
    """
    shown, own = (float(store.terminated.sum()) / store.n_episodes for store in (demonstrations, rollouts))
    if not (shown or own):
        return ()
    level = grade(abs(own - shown), good=0.2, bad=0.5)
    return (
        Finding(
            "endings",
            f"{own:.0%} terminate, {shown:.0%} demonstrated",
            "doubtful" if level == "bad" and not shown else level,  # they may lack the flag `terminated`
            "Fraction of the policy's episodes and of all demonstrations that end by termination. A policy "
            "that does not end them stays where the reward is above 0: record demonstrations of a fixed "
            "length, in an environment that does not terminate. Where only the policy ends them, train it "
            "longer; demonstrations that reach such an end need `terminated`.",
        ),
    )
