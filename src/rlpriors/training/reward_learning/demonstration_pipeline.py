"""Reward from demonstrations: the stages that `rlpriors learn-reward` and `rlpriors demo` share.

`EpisodeSets`                demonstrations and data, to learn from and held out
`CheckedPrior`               prior of the data, and findings on the demonstrations
`prior_for_demonstrations`   checks of the demonstrations, training of the prior, check of its support
`EvaluatedReward`            learned reward, findings and pictures
`reward_from_demonstrations` training of the reward and its evaluation
`warn`                       output of the findings that are not good
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.support import check_support
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.verdict import Finding
from rlpriors.rewards.base import RewardModel
from rlpriors.training.reward_learning.choices import WindowChoice
from rlpriors.training.reward_learning.evaluation import (
    check_demonstrations,
    evaluate_reward,
    support_finding,
)
from rlpriors.training.reward_learning.pictures import draw_pictures
from rlpriors.training.reward_learning.pipeline import learn_prior, learn_rewards

__all__ = [
    "CheckedPrior",
    "EpisodeSets",
    "EvaluatedReward",
    "prior_for_demonstrations",
    "reward_from_demonstrations",
    "warn",
]

Say = Callable[[str], object]


class EpisodeSets(NamedTuple):
    """Demonstrations and data, to learn from and held out."""

    demonstrations: EpisodeStore
    """All demonstrations."""
    data: EpisodeStore
    """All data of possible behavior."""
    shown: EpisodeStore
    """Demonstrations to learn from."""
    held_out: EpisodeStore | None
    """Held-out demonstrations; None for none."""
    known: EpisodeStore
    """Data to learn from."""
    other: EpisodeStore | None
    """Held-out data; None for none."""
    reference: EpisodeStore | None = None
    """Negatives; None for those of the objective."""

    @property
    def evaluated(self) -> tuple[EpisodeStore, EpisodeStore]:
        """Demonstrations and negatives of the evaluation, which are held out if possible."""
        return self.held_out or self.shown, self.reference or self.other or self.known


class CheckedPrior(NamedTuple):
    """Prior of the data, and findings on the demonstrations."""

    policy: DiffuserPolicy
    """Policy that plans with the trained prior."""
    coverage: float
    """Fraction of the demonstrations that the prior covers."""
    findings: tuple[Finding, ...]
    """Findings on the demonstrations, and on their coverage."""


class EvaluatedReward(NamedTuple):
    """Learned reward, findings and pictures."""

    reward: RewardModel
    """Learned reward."""
    findings: tuple[Finding, ...]
    """Findings on the reward."""
    numbers: Mapping[str, float]
    """Numbers of the evaluation by name."""
    figures: Mapping[str, Figure]
    """Pictures of the reward by name."""


def prior_for_demonstrations(
    episodes: EpisodeSets, window: WindowChoice, *, eval_seed: int, say: Say, **training: Any
) -> CheckedPrior:
    """Check the demonstrations, train a prior on the data, and check that it covers the demonstrations.

    Findings that are not good are printed when they are known, before the next long training.

    Args:
        episodes: demonstrations and data.
        window: horizon and stride of windows.
        eval_seed: seed of the check.
        say: function that prints a line.
        training: arguments of `learn_prior`.

    Raises:
        ValueError: see `learn_prior`.
    """
    findings = check_demonstrations(episodes.demonstrations, episodes.data)
    warn(findings, say)
    policy = learn_prior(episodes.known, window, **training)
    support = check_support(policy, episodes.known, episodes.demonstrations, seed=eval_seed)
    covered = support_finding(support.coverage)
    warn([covered], say)
    return CheckedPrior(policy, support.coverage, (*findings, covered))


def reward_from_demonstrations(
    policy: DiffuserPolicy, episodes: EpisodeSets, *, folder: Path, eval_seed: int, **training: Any
) -> EvaluatedReward:
    """Learn a reward, save it to `<folder>/reward`, and evaluate it without the true reward.

    Args:
        policy: policy with the trained prior; it plans with the reward afterwards.
        episodes: demonstrations and data.
        folder: folder of the run.
        eval_seed: seed of the evaluation.
        training: further arguments of `learn_rewards`.
    """
    rewards = learn_rewards(
        policy, episodes.shown, episodes.known, reference=episodes.reference, folder=folder, **training
    )
    reward = rewards.reward
    reward.record_encoder(policy.obs_encoder)
    reward.save(folder / "reward")
    length = policy.layout.horizon * policy.layout.stride
    evaluation = evaluate_reward(
        reward,
        *episodes.evaluated,
        halves=rewards.halves,
        seeds=rewards.seeds,
        length=length,
        seed=eval_seed,
    )
    figures = draw_pictures(reward, *episodes.evaluated, evaluation.input_use, length=length, seed=eval_seed)
    return EvaluatedReward(reward, evaluation.findings, evaluation.numbers, figures)


def warn(findings: Sequence[Finding], say: Say) -> None:
    """Print the findings that are not good."""
    for finding in findings:
        if finding.level != "good":
            say(f"{finding.level.capitalize()}: {finding.name} {finding.value}. {finding.meaning}")
