"""Command `rlpriors learn-reward`: a reward and a report from the user's own demonstrations or comparisons.

`learn_reward`  the command
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.device import resolve_device
from rlpriors.evaluation.rewards.verdict import verdict_line
from rlpriors.scripts.learn_reward.policy import train_check_policy
from rlpriors.scripts.learn_reward.preferences import read_labeled
from rlpriors.scripts.learn_reward.settings import POLICY_STEPS, LearnRewardSettings
from rlpriors.scripts.origin import describe_data, record_origin
from rlpriors.training.reward_learning.choices import choose_window, describe_choices, split
from rlpriors.training.reward_learning.demonstration_pipeline import (
    EpisodeSets,
    prior_for_demonstrations,
    reward_from_demonstrations,
)
from rlpriors.training.reward_learning.over_training import pictures_of
from rlpriors.training.reward_learning.pipeline import stored
from rlpriors.training.reward_learning.policy_stage import DemonstrationSets
from rlpriors.training.reward_learning.preference_pipeline import reward_from_labels
from rlpriors.training.reward_learning.report import report_text, usage_lines, write_report
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["learn_reward"]

MAIN_RESULTS = (
    "accuracy", "gap", "peak", "order", "epic_halves", "epic_seeds",
    "trained.true_return", "trained.learned_return",
)  # fmt: skip
"""Numbers in TensorBoard's tab "HParams"."""


def learn_reward(
    settings: LearnRewardSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
    films: int = 4,
) -> Path:
    """Learn a reward from demonstrations or preferences, evaluate it, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/reward-<env>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.
        films: number of filmed episodes of the policy over its training.

    Raises:
        ValueError: a setting, the data or the demonstrations do not fit the environment.
        CheckpointError: a checkpoint is damaged, or of other data.
    """
    started = time.monotonic()
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    say = partial(Console(highlight=False, markup=False, soft_wrap=True).print)
    data_seed, reference_seed, split_seed, net_seed, eval_seed = (
        int(s) % 2**31 for s in np.random.SeedSequence(settings.seed).generate_state(5)
    )
    pixels = settings.load_pixels(device, net_seed)
    read = partial(settings.read, pixels=pixels)
    folder = folder or Path("runs") / f"reward-{settings.env_name}-seed{settings.seed}"
    if settings.labels is not None and settings.data is not None:
        labeled, pairs = read_labeled(partial(read, "--data", settings.data, data_seed), settings.labels)
        _check_obs_index(settings.obs_index, prod(labeled.obs.shape[1:]))
        run = create_or_resume_run(folder, settings, resume=resume)
        tracking = RunTracker(run, tracker)
        tracking.overview(settings, "learn-reward")
        numbers = reward_from_labels(
            labeled,
            pairs,
            run=run,
            title=f"Reward for {settings.env}",
            held_out=settings.held_out,
            inputs=settings.inputs,
            obs_index=settings.obs_index or None,
            n_updates=settings.reward_updates,
            checkpoint_every=settings.checkpoint_every,
            curve=settings.agreement_updates > 0,
            seeds=(split_seed, net_seed, eval_seed),
            resume=resume,
            device=device,
            tracking=tracking,
            obs_encoder=settings.encoder_record(pixels, net_seed),
            usage=usage_lines(
                settings.env, run / "reward", settings.env_arguments(), encoded=pixels is not None
            ),
            results={"env": settings.env, "seed": settings.seed},
            say=say,
        )
        origin = {
            "data": describe_data(settings.data, labeled),
            "labels": f"`{settings.labels.name}`, {len(pairs)} pairs of {pairs.length} steps",
        }
        found = {"verdict": numbers["verdict"], "accuracy": numbers.get("accuracy")}
        record_origin(
            "learn-reward", settings, {run / "reward": found}, env=settings.env,
            env_args=settings.env_arguments(), data=origin,
        )  # fmt: skip
        tracking.results(settings, numbers, ("accuracy", "log_loss", "epic_members"))
        tracking.close()
        _say_next(run, settings.env_flags, say)
        return run
    assert settings.demos is not None
    demonstrations = read("--demos", settings.demos, data_seed)
    source, negatives = settings.data or settings.collect, settings.reference
    read_data = partial(read, "--data", source, data_seed)
    read_reference = partial(read, "--reference", negatives or settings.collect, reference_seed)
    # Files are read before the run's folder is created, so that a wrong one leaves no folder.
    if settings.data is not None and not resume:
        read_data = partial(_same, read_data())
    if negatives is not None and not negatives.startswith("random:") and not resume:
        read_reference = partial(_same, read_reference())
    _check_obs_index(settings.obs_index, prod(demonstrations.obs.shape[1:]))
    run = create_or_resume_run(folder, settings, resume=resume)
    tracking = RunTracker(run, tracker)
    tracking.overview(settings, "learn-reward")
    check_run_inputs(run, {"demos": store_fingerprint(demonstrations)})
    data = stored(run, "data", read_data)
    reference = None if negatives is None else stored(run, "reference", read_reference)

    absorbing = bool(demonstrations.terminated.any() or data.terminated.any())
    window = choose_window(
        demonstrations, data, horizon=settings.horizon, stride=settings.stride, absorbing=absorbing
    )
    sets = EpisodeSets(
        demonstrations,
        data,
        *split(demonstrations, settings.held_out, split_seed),
        *split(data, settings.held_out / 2, split_seed),
        reference=reference,
    )
    choices = describe_choices(
        window,
        (sets.shown, sets.held_out),
        (sets.known, sets.other),
        source=source,
        reference=negatives,
        absorbing=absorbing,
        objective=settings.objective,
    )
    for title, choice in choices.items():
        say(f"{title}: {choice}.")
    training: dict[str, Any] = {
        "folder": run,
        "checkpoint_every": settings.checkpoint_every,
        "seed": net_seed,
        "eval_seed": eval_seed,
        "resume": resume,
        "tracker": tracking,
    }
    prior = prior_for_demonstrations(
        sets,
        window,
        absorbing=absorbing,
        obs_keys=settings.keys,
        obs_encoder=settings.encoder_record(pixels, net_seed),
        n_updates=settings.prior_updates,
        device=device,
        say=say,
        **training,
    )
    learned = reward_from_demonstrations(
        prior.policy,
        sets,
        objective=settings.objective,
        inputs=settings.inputs,
        obs_index=settings.obs_index or None,
        n_updates=settings.reward_updates,
        agreement_updates=settings.agreement_updates,
        pictures=partial(
            pictures_of,
            policy=prior.policy,
            demonstrations=sets.shown,
            data=sets.known,
            folder=run / "figures",
            length=settings.reward_updates,
            seed=eval_seed,
        ),
        **training,
    )
    findings = [*prior.findings, *learned.findings]
    figures, numbers = dict(learned.figures), dict(learned.numbers)
    usage = usage_lines(settings.env, run / "reward", settings.env_arguments(), encoded=pixels is not None)
    n_steps = settings.policy_steps if settings.policy_steps is not None else 0 if pixels else POLICY_STEPS
    shown = DemonstrationSets(sets.shown, sets.held_out)
    shown.save(run)
    trained = None
    if n_steps:
        trained = train_check_policy(
            partial(settings.make_vectors, pixels, learned.reward.obs_keys),
            learned.reward,
            shown,
            env_id=settings.env,
            n_steps=n_steps,
            run=run,
            seed=settings.seed,
            resume=resume,
            device=device,
            tracker=tracking,
            films=films,
        )
        findings += trained.findings
        figures, numbers = {**figures, **trained.figures}, {**numbers, **trained.numbers}
    level, sentence = verdict_line(findings)
    text = report_text(f"Reward for {settings.env}", findings, choices, usage, list(figures))
    write_report(run, text, figures, tracking)
    seconds = round(time.monotonic() - started, 1)
    results: dict[str, Any] = {
        "env": settings.env,
        "seed": settings.seed,
        "seconds": seconds,
        "verdict": level,
    }
    results |= {**{f.name: f.value for f in findings}, **numbers}
    results["levels"] = {f.name: f.level for f in findings}
    if trained is not None:
        results |= {"policy_steps": n_steps, "untrained": trained.untrained, "trained": trained.trained}
    write_json(run / "results.json", results)
    record = partial(
        record_origin, "learn-reward", settings, env=settings.env, env_args=settings.env_arguments()
    )
    sources = {"data": describe_data(source, data)}
    record({run / "prior": {"coverage": prior.coverage}}, data=sources)
    sources["demonstrations"] = describe_data(settings.demos, demonstrations)
    if negatives is not None and reference is not None:
        sources["reference"] = describe_data(negatives, reference)
    found = {"verdict": level, **{f.name: f"{f.value} ({f.level})" for f in findings}}
    record({run / "reward": found if trained is None else {**found, "policy": trained.trained}}, data=sources)
    tracking.results(settings, results, MAIN_RESULTS)
    tracking.close()
    for finding in findings:
        say(f"  {finding.level:9} {finding.name:14} {finding.value}")
    say(f"{sentence}\n\n{seconds:.0f} seconds. To use the reward:\n")
    say("\n".join(f"    {line}" for line in usage))
    _say_next(run, settings.env_flags, say)
    return run


def _say_next(run: Path, env_flags: str, say: Callable[[str], object]) -> None:
    """Print the next command, and the places of the results."""
    say(f"\nA policy: rlpriors train-policy --reward {run / 'reward'} {env_flags}")
    say(f"The report: {run / 'report.md'}; the curves: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run))


def _check_obs_index(index: Sequence[int], n: int) -> None:
    """Refuse entries that observations do not have, before anything is trained."""
    if not all(0 <= entry < n for entry in index) or len(set(index)) < len(index):
        raise ValueError(
            f"--obs-index must hold entries between 0 and {n - 1}, each once. Received {tuple(index)}; the "
            "order is that of the leaves in --obs-keys, which is alphabetical by default."
        )


def _same(store: EpisodeStore) -> EpisodeStore:
    return store
