"""Command `rlpriors pretrain`: an encoder that is trained on frames without labels.

`pretrain`  the command
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from rlpriors.checkpoint import load_resume
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder
from rlpriors.envs.make import make_env
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET, collect_random_frames
from rlpriors.representation import RepresentationLearner
from rlpriors.representation.registry import find_recipe
from rlpriors.scripts.origin import describe_frames, record_origin
from rlpriors.scripts.pretrain.settings import PretrainSettings
from rlpriors.training.collapse_monitor import log_feature_statistics
from rlpriors.training.distributed import broadcast_from_first, init_process
from rlpriors.training.representation import train_encoder
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs
from rlpriors.training.tracking.names import Tracker
from rlpriors.training.tracking.run_tracker import RunTracker

__all__ = ["pretrain"]

RESUME = "resume.pt"
MAIN_RESULTS = ("loss", "rankme", "feature_std", "windows_per_second")
"""Numbers in TensorBoard's tab "HParams"."""


def pretrain(
    settings: PretrainSettings,
    *,
    folder: Path | None = None,
    resume: bool = False,
    tracker: Sequence[Tracker] = ("tensorboard",),
) -> Path:
    """Train an encoder and return the run's folder, which holds it as "encoder".

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/pretrain-<method>-<encoder>-<data>-seed<seed>` by default.
        resume: resume the latest run in `folder` with these settings.
        tracker: destinations of the curves, by their names.

    Raises:
        ValueError: method, encoder and frames do not fit, or there is no such environment.
        CheckpointError: the checkpoint is damaged or of another method.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    recipe = find_recipe(settings.method, settings.method_options())
    training = settings.training_settings()
    with init_process(settings.device) as (device, rank):
        encoder = settings.encoder.load(
            device=device, seed=settings.seed, train=True, compile=settings.compile
        )
        learner = None
        if settings.env is None:  # before the run begins: settings that do not fit leave no folder
            stores = [FrameStore.open(path) for path in settings.data]
            learner = RepresentationLearner(encoder, recipe, stores, training)
        run = folder or settings.default_folder
        if rank == 0:
            if settings.env is not None:
                make_env(settings.env, image_size=(8, 8)).close()
            run = create_or_resume_run(run, settings, resume=resume)
        run = Path(broadcast_from_first(str(run)))
        if learner is None:
            assert settings.env is not None
            if rank == 0:
                collect_random_frames(
                    settings.env,
                    settings.env_steps,
                    run / "frames",
                    seed=settings.seed + PRETRAINING_SEED_OFFSET,
                    image_size=settings.image_size or encoder.spec.input_size,
                    gray=encoder.spec.channels == 1,
                    collector=settings.collector,
                )
            broadcast_from_first("collected")
            learner = RepresentationLearner(encoder, recipe, [FrameStore.open(run / "frames")], training)
        if rank == 0:
            check_run_inputs(run, {"encoder": encoder.fingerprint().digest})
        if resume and (run / RESUME).exists():
            learner.resume(load_resume(run / RESUME, device))
        if rank == 0:
            tracking = RunTracker(run, tracker)
            tracking.overview(settings, "pretrain")
            results = _train(
                learner,
                run,
                tracking,
                checkpoint_every=settings.checkpoint_every,
                log_every=settings.log_every,
                log_images_every=settings.log_images_every,
                collapse_sample_size=settings.collapse_sample_size,
            )
            stores = [FrameStore.open(path) for path in settings.data or (run / "frames",)]
            record_origin(
                "pretrain",
                settings,
                {run / "encoder": results},
                env=settings.env,
                data={f"frames {i}": describe_frames(store) for i, store in enumerate(stores, 1)},
                trust_remote_code=settings.encoder.trust_remote_code,
            )
            tracking.results(settings, results, MAIN_RESULTS)
            tracking.close()
            _report(encoder, f"{settings.method} ({recipe.source})", run)
        else:
            while learner.updates < settings.updates:
                learner.update()
        broadcast_from_first("trained")
    return run


def _train(
    learner: RepresentationLearner,
    run: Path,
    tracking: RunTracker,
    *,
    checkpoint_every: int,
    log_every: int,
    log_images_every: int,
    collapse_sample_size: int,
) -> dict[str, Any]:
    """Make the remaining updates, write the encoder and the results, and return the results."""
    started, first = time.monotonic(), learner.updates
    last = train_encoder(
        learner,
        resume_file=run / RESUME,
        folder=run,
        checkpoint_every=checkpoint_every,
        log_every=log_every,
        callback=log_feature_statistics(
            learner, log_every=log_images_every, sample_size=collapse_sample_size
        ),
        tracker=tracking,
    )
    learner.finish().save(run / "encoder")
    n_updates = learner.updates - first
    rate = n_updates * learner.batch_size * learner.world_size / (time.monotonic() - started)
    if n_updates > 0 or not (run / "results.json").exists():  # it was killed after its last update
        speed = {"windows_per_second": round(rate, 1)} if n_updates > 0 else {}
        write_json(run / "results.json", {**last, "updates": learner.updates, **speed})
    results: dict[str, Any] = json.loads((run / "results.json").read_text())
    return results


def _report(encoder: ImageEncoder, method: str, run: Path) -> None:
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{encoder.spec.name}, trained by {method}. To use it:\n")
    say("    from rlpriors.wrappers import EncodeObservation")
    say(f'    env = EncodeObservation(env, "{run / "encoder"}")\n', markup=False)
    say(f"In TensorBoard: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run / "encoder"))
