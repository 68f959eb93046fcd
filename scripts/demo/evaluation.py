"""Evaluation of the demo's reward without the true reward, as by `rlpriors learn-reward`.

`evaluate_without_truth`  findings on held-out episodes, written as report.md and pictures
`HeldOut`                 demonstrations and data of the training, and held-out ones
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlpriors.agents import DiffuserPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.point_maze import OBS_KEYS
from rlpriors.evaluation.rewards.verdict import Finding
from rlpriors.rewards import RewardModel
from rlpriors.scripts.demo.settings import RewardInputs
from rlpriors.training.reward_learning.choices import WindowChoice, describe_choices
from rlpriors.training.reward_learning.evaluation import (
    check_demonstrations,
    evaluate_reward,
    support_finding,
)
from rlpriors.training.reward_learning.pictures import draw_pictures
from rlpriors.training.reward_learning.report import report_text, write_report
from rlpriors.training.reward_learning.stages import make_reward, train_reward
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["HeldOut", "evaluate_without_truth"]


class HeldOut(NamedTuple):
    """Demonstrations and data of the training, and held-out ones."""

    shown: EpisodeStore
    """Demonstrations of the training."""
    held: EpisodeStore
    """Held-out demonstrations."""
    known: EpisodeStore
    """Data of the training."""
    other: EpisodeStore
    """Held-out data."""


def evaluate_without_truth(
    reward: RewardModel,
    policy: DiffuserPolicy,
    episodes: HeldOut,
    *,
    inputs: RewardInputs,
    coverage: float,
    agreement_updates: int,
    checkpoint_every: int,
    run: Path,
    usage: Sequence[str],
    seed: int,
    resume: bool,
    tracker: RunTracker,
) -> tuple[Finding, ...]:
    """Write the report that `rlpriors learn-reward` writes for demonstrations of a user.

    Further rewards, of halves of the demonstrations and of another seed, show how much the reward depends on
    chance.  The policy plans with the reward afterwards, as before.

    Args:
        reward: learned reward.
        policy: policy with the prior.
        episodes: demonstrations and data.
        inputs: inputs of the reward.
        coverage: fraction of the demonstrations that the prior covers.
        agreement_updates: number of updates of each further reward; 0 for none.
        checkpoint_every: number of updates between checkpoints.
        run: folder of the run.
        usage: lines of Python that use the reward.
        seed: random seed.
        resume: continue from checkpoints.
        tracker: destination of the report's pictures.
    """
    further: dict[str, RewardModel] = {}
    if agreement_updates:
        order = np.random.default_rng(seed).permutation(episodes.shown.n_episodes)
        groups = {"seed": order}
        if len(order) > 1:
            halves = zip(("half-a", "half-b"), np.array_split(order, 2), strict=True)
            groups |= dict(halves)
        for name, group in groups.items():
            further[name] = train_reward(
                policy,
                make_reward(
                    policy.layout,
                    "observation-action" if inputs == "observation-action" else "observation",
                    obs_index=(0, 1) if inputs == "position" else None,
                    obs_keys=OBS_KEYS,
                    seed=seed + len(further),
                ).to(reward.device),
                episodes.shown.subset(np.sort(group)),
                episodes.known,
                folder=run,
                name=f"agreement-{name}",
                n_updates=agreement_updates,
                checkpoint_every=checkpoint_every,
                seed=seed + len(further),
                resume=resume,
                tracker="csv",
            )
        policy.reward = reward
    layout = policy.layout
    window = WindowChoice(
        layout.horizon,
        layout.stride,
        f"{layout.horizon * layout.stride} steps, longer than a way across the maze",
    )
    choices = describe_choices(
        window, episodes[:2], episodes[2:], source="a scripted walk", reference=None, absorbing=False
    )
    evaluated = (episodes.held, episodes.other)
    length = layout.horizon * layout.stride
    evaluation = evaluate_reward(
        reward,
        *evaluated,
        halves=[further[name] for name in ("half-a", "half-b") if name in further],
        seeds=[further[name] for name in ("seed",) if name in further],
        length=length,
        seed=seed,
    )
    findings = (
        *check_demonstrations(episodes.shown, episodes.known),
        support_finding(coverage),
        *evaluation.findings,
    )
    figures = draw_pictures(reward, *evaluated, evaluation.input_use, length=length, seed=seed)
    title = "Reward of the demo"
    write_report(run, report_text(title, findings, choices, usage, list(figures)), figures, tracker)
    return findings
