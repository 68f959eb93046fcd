"""Command `rlpriors learn-prior`: data and a diffusion model of its trajectories.

`learn_prior`  the command
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from rlpriors.agents import check_support
from rlpriors.device import resolve_device
from rlpriors.scripts.learn_prior.settings import LearnPriorSettings
from rlpriors.scripts.origin import describe_data, record_origin
from rlpriors.training.reward_learning import pipeline
from rlpriors.training.reward_learning.choices import choose_window, split
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["learn_prior"]


def learn_prior(
    settings: LearnPriorSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
) -> Path:
    """Train a prior on data of an environment, and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/prior-<env>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.

    Raises:
        ValueError: a setting or the data do not fit the environment.
        CheckpointError: a checkpoint is damaged, or of other data.
    """
    device = resolve_device(settings.device)
    torch.set_num_threads(settings.threads)
    say = partial(Console(highlight=False, markup=False, soft_wrap=True).print)
    settings.env_maker()().close()  # an unknown environment leaves no folder
    pixels = settings.load_pixels(device, settings.seed)
    run = create_or_resume_run(
        folder or Path("runs") / f"prior-{settings.env_name}-seed{settings.seed}", settings, resume=resume
    )
    tracking = RunTracker(run, tracker)
    tracking.overview(settings, "learn-prior")
    if pixels is not None:
        check_run_inputs(run, {"encoder": pixels.encoder.fingerprint().digest})
    source = settings.data or settings.collect
    data = pipeline.stored(run, "data", partial(settings.read, "--data", source, settings.seed, pixels))
    absorbing = bool(data.terminated.any())
    window = choose_window(data, data, horizon=settings.horizon, stride=settings.stride, absorbing=absorbing)
    say(f"Data: {data.n_steps} steps of {source}.\nWindows: {window.reason}.")
    known, other = split(data, 0.1, settings.seed)
    policy = pipeline.learn_prior(
        known,
        window,
        absorbing=absorbing,
        obs_keys=settings.keys,
        obs_encoder=settings.encoder_record(pixels, settings.seed),
        folder=run,
        n_updates=settings.prior_updates,
        checkpoint_every=settings.checkpoint_every,
        seed=settings.seed,
        resume=resume,
        tracker=tracking,
        device=device,
    )
    support = check_support(policy, known, other or known, seed=settings.seed)
    results = {"env": settings.env, "coverage": support.coverage, "residual": support.demonstrations_residual}
    write_json(run / "results.json", results)
    record_origin(
        "learn-prior",
        settings,
        {run / "prior": {"coverage": support.coverage, "residual": support.demonstrations_residual}},
        env=settings.env,
        env_args=settings.env_arguments(),
        data={"data": describe_data(source, data)},
    )
    tracking.results(settings, results)
    tracking.close()
    say(f"The prior covers {support.coverage:.0%} of held-out data; 99 % is best.")
    say(f"Plans: rlpriors plan --prior {run / 'prior'} {settings.env_flags} --reward <folder>\n{run}")
    return run
