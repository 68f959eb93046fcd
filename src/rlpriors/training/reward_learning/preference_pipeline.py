"""Stages of a command that learns a reward from preferences, from labels to a report.

`reward_from_labels`  training, evaluation and report of a reward
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from rlpriors.data.episodes import EpisodeStore
from rlpriors.encoders import EncoderRecord
from rlpriors.evaluation.rewards.verdict import verdict_line
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.training.reward_learning.preference_evaluation import check_labels, evaluate_preferences
from rlpriors.training.reward_learning.preference_stage import learn_from_labels
from rlpriors.training.reward_learning.report import report_text, write_report
from rlpriors.training.reward_learning.stages import RewardInputs
from rlpriors.training.run_folder import write_json
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["reward_from_labels"]


def reward_from_labels(
    data: EpisodeStore,
    pairs: PreferenceSet,
    *,
    run: Path,
    title: str,
    held_out: float,
    inputs: RewardInputs,
    obs_index: tuple[int, ...] | None,
    n_updates: int,
    checkpoint_every: int,
    curve: bool,
    seeds: tuple[int, int, int],
    resume: bool,
    device: torch.device,
    tracking: RunTracker,
    obs_encoder: EncoderRecord | None,
    usage: tuple[str, ...],
    results: Mapping[str, Any],
    say: Callable[[str], object],
) -> dict[str, Any]:
    """Learn a reward from labels, evaluate it, write the report, and return the results by name.

    Args:
        data: labeled episodes.
        pairs: their labels.
        run: folder of the run.
        title: title of the report.
        held_out: fraction of the pairs that is kept for the evaluation.
        inputs: inputs of the reward.
        obs_index: entries of the observation that it reads; None for all.
        n_updates: largest number of updates.
        checkpoint_every: number of updates between checkpoints.
        curve: measure the accuracy for smaller numbers of labels, too.
        seeds: seeds of the split, the training and the evaluation.
        resume: continue from the checkpoint in the folder, if there is one.
        device: device of the reward.
        tracking: destination of the curves.
        obs_encoder: encoder whose features the observations contain.
        usage: lines of Python that use the reward.
        results: results that are known before.
        say: function that prints a line.
    """
    started = time.monotonic()
    split_seed, train_seed, eval_seed = seeds
    known, test = (pairs, None) if held_out == 0 else pairs.split(held_out, split_seed)
    choices = {
        "Labels": f"{len(known)} to learn from and {len(test) if test else 0} held out for the evaluation "
        "(--held-out)",
        "Segments": f"{pairs.length} steps of {data.n_episodes} episodes, {data.n_steps} steps in all",
        "Scale": "mean 0 and standard deviation 1 on the data; comparisons determine neither. Add a number "
        "to the reward where episodes can end early",
    }
    for name, choice in choices.items():
        say(f"{name}: {choice}.")
    findings = [*check_labels(pairs)]
    for finding in findings:
        if finding.level != "good":
            say(f"{finding.level.capitalize()}: {finding.name} {finding.value}. {finding.meaning}")
    learned = learn_from_labels(
        data,
        known,
        test,
        inputs=inputs,
        obs_index=obs_index,
        curve=curve,
        folder=run,
        n_updates=n_updates,
        checkpoint_every=checkpoint_every,
        seed=train_seed,
        resume=resume,
        tracker=tracking,
        device=device,
    )
    learned.reward.record_encoder(obs_encoder)
    learned.reward.save(run / "reward")
    evaluation = evaluate_preferences(learned.reward, data, test, learned.curve, seed=eval_seed)
    findings += evaluation.findings
    level, sentence = verdict_line(findings)
    figures = evaluation.figures
    write_report(run, report_text(title, findings, choices, usage, list(figures)), figures, tracking)
    found: dict[str, Any] = {
        **results,
        "seconds": round(time.monotonic() - started, 1),
        "verdict": level,
        **{finding.name: finding.value for finding in findings},
        **evaluation.numbers,
        "levels": {finding.name: finding.level for finding in findings},
    }
    write_json(run / "results.json", found)
    for finding in findings:
        say(f"  {finding.level:9} {finding.name:14} {finding.value}")
    say(f"{sentence}\n\n{found['seconds']:.0f} seconds. To use the reward:\n")
    say("\n".join(f"    {line}" for line in usage))
    return found
