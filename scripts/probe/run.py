"""Command `rlpriors probe`: probes of an encoder and of baselines.

`probe`  the command
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from rlpriors.data.fingerprints import frames_fingerprint
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.probe_task import make_atari_task
from rlpriors.envs.atari.ram_annotations import game_name
from rlpriors.envs.mujoco.collect import collect_mujoco
from rlpriors.evaluation.probing.baselines import (
    ProtocolScores,
    evaluate_features,
    evaluate_majority,
    evaluate_supervised,
    random_cnn,
)
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.behavior import (
    BehaviorTargets,
    Numbers,
    behavior_targets,
    collapse_statistics,
    evaluate_behavior,
)
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, downsample
from rlpriors.evaluation.probing.sampling import Sampling
from rlpriors.evaluation.probing.states import StateTargets, evaluate_states, state_targets
from rlpriors.scripts.probe.page import log_page
from rlpriors.scripts.probe.results import (
    delete_features,
    display_name,
    encode_frames,
    read_scores,
    write_scores,
)
from rlpriors.scripts.probe.settings import ProbeRunSettings
from rlpriors.scripts.probe.tables import (
    Subject,
    control_table,
    game_table,
    make_rows,
    state_table,
    verdict,
    write_rows,
)
from rlpriors.training.run_folder import create_or_resume_run, write_json
from rlpriors.training.run_inputs import check_run_inputs

__all__ = ["probe"]

FRAMES = Path("runs") / "frames"
NO_ENCODER = "none"

FeatureSource = Callable[[], np.ndarray | None]
"""Function that returns the features of every frame; None for a baseline without features."""


@dataclass(frozen=True)
class Evaluator:
    """Probes of features by the available targets."""

    store: FrameStore
    """Frames that are probed."""
    task: ProbeTask | None
    """Variables of a game."""
    states: StateTargets | None
    """Positions and velocities."""
    behavior: BehaviorTargets | None
    """Actions and rewards."""
    epochs: int
    """Number of passes of linear probes over the frames, at most."""
    supervised_epochs: int
    """Number of passes of the supervised baseline over the frames, at most."""
    sampling: Sampling
    """Sampling of the frames of a game and of behavior."""
    seed: int
    """Random seed of the probes."""
    device: str
    """Device of the probes."""

    def __call__(self, features: np.ndarray | None, name: str) -> Subject:
        """Return the scores of a subject; the baselines "majority" and "supervised" have no features."""
        probes = ProbeSettings(epochs=self.epochs, sampling=self.sampling)
        scores: ProtocolScores = {}
        numbers: Numbers = {}
        if self.task is not None:
            if features is not None:
                scores = evaluate_features(features, self.task, probes, seed=self.seed, device=self.device)
            elif name == "supervised":
                supervised = replace(probes, epochs=self.supervised_epochs)
                scores = evaluate_supervised(
                    self.store, self.task, supervised, seed=self.seed, device=self.device
                )
            else:
                scores = evaluate_majority(self.task, self.sampling)
        if self.states is not None and features is not None:
            numbers |= evaluate_states(features, self.states)
        if self.behavior is not None and name != "supervised":  # it was trained on other labels
            numbers |= evaluate_behavior(features, self.behavior, probes, seed=self.seed, device=self.device)
        if features is not None:
            numbers |= collapse_statistics(features)
        return Subject(scores, numbers)


def probe(settings: ProbeRunSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Probe the encoder and the baselines, print the tables, and return the run's folder.

    The scores of each subject are a file: `resume` reads the finished ones.

    Args:
        settings: settings of the command.
        folder: folder of the run; `runs/probe-<game, env or data>-<encoder>` by default.
        resume: resume the latest run in `folder` with these settings.

    Raises:
        ValueError: there is no such game, environment or encoder, or the frames lack the targets.
    """
    source = settings.env or Path(str(settings.data)).resolve().name
    source = source if settings.game is None else game_name(settings.game)
    seed, device = settings.seed, settings.device
    encoder = None  # loaded before frames are collected, so that a wrong name fails at once
    if settings.encoder.name != NO_ENCODER:
        encoder = settings.encoder.load(device=device, seed=seed, chunk_size=256)
    encoder_name = "controls" if encoder is None else settings.encoder.name
    name = re.sub(r"[^\w.]+", "-", f"{source}-{encoder_name}").strip("-").lower()
    run = create_or_resume_run(folder or Path("runs") / f"probe-{name}", settings, resume=resume)
    if settings.data is not None:
        store = FrameStore.open(settings.data)
    elif settings.env is not None:
        store = collect_mujoco(
            source, settings.n_steps, seed, FRAMES / f"{source.lower()}-{settings.n_steps}-seed{seed}"
        )
    else:
        colors = "color" if settings.color else "gray"
        suffix = "" if settings.collector == "ale_py" else f"-{settings.collector}"
        store = collect_atari(
            source,
            settings.n_steps,
            seed,
            FRAMES / f"{source}-{settings.policy}-{colors}-{settings.n_steps}-seed{seed}{suffix}",
            AtariSettings(policy=settings.policy, gray=not settings.color),
            n_workers=settings.n_workers,
            collector=settings.collector,
        )
    inputs = {"frames": frames_fingerprint(store)}
    check_run_inputs(run, inputs if encoder is None else inputs | {"encoder": encoder.fingerprint().digest})
    console = Console(markup=False, highlight=False)
    is_game, is_robot = settings.game is not None, settings.env is not None
    behavior = _behavior_targets(
        store, console, expert=settings.data is not None, required=not (is_game or is_robot), seed=seed
    )
    task = states = None
    if is_game:
        task = make_atari_task(store, source, seed=seed, min_frames=settings.min_frames)
    elif is_robot:
        states = state_targets(store, seed)
    probes = settings.epochs, settings.supervised_epochs, settings.sampling
    evaluator = Evaluator(store, task, states, behavior, *probes, seed, device)
    make_random = partial(load_encoder, "nature-cnn", weights="none", chunk_size=256)
    if is_game:
        make_random = partial(random_cnn, store.frames.shape[1:])
    make_random = partial(make_random, seed=seed, device=device)
    sources = dict(_baselines(store, make_random, settings.encoder.readout, seed, run / "features"))
    if encoder is not None:
        sources[display_name(encoder_name, encoder)] = partial(
            encode_frames, store, encoder, run / "features" / "encoder"
        )
    if settings.supervised_epochs and is_game:
        sources["supervised"] = lambda: None
    subjects = _evaluate_all(sources, evaluator, run)
    write_rows(run, make_rows(source, subjects, seed))
    tables = [game_table(source, subjects, protocol) for protocol in PROTOCOLS] if is_game else []
    tables += [state_table(source, subjects)] if is_robot else []
    tables.append(control_table(source, subjects))
    for table in tables:
        console.print(table)
    probed = None if encoder is None else display_name(encoder_name, encoder)
    log_page(run, settings, subjects, tables, verdict(subjects, probed))
    console.print(f"The tables: tensorboard --logdir {run / 'tensorboard'}", soft_wrap=True)
    console.print(str(run / "probe.csv"), soft_wrap=True)
    console.print(verdict(subjects, probed))
    return run


def _behavior_targets(
    store: FrameStore, console: Console, *, expert: bool, required: bool, seed: int
) -> BehaviorTargets | None:
    """Return actions and rewards; None where the store has none and other targets are probed."""
    try:
        behavior = behavior_targets(store, expert=expert, seed=seed)
    except ValueError as error:
        if required:
            raise
        console.print(f"Actions and rewards are left out: {error}", soft_wrap=True)
        return None
    for name, reason in ({} if behavior.task is None else behavior.task.dropped).items():
        console.print(f"The label {name} is left out: {reason}.", soft_wrap=True)
    return behavior


def _baselines(
    store: FrameStore,
    make_random: Callable[[], ImageEncoder],
    readout: str | None,
    seed: int,
    folder: Path,
) -> Iterator[tuple[str, FeatureSource]]:
    """Yield the names and features of the baselines: majority, pixels, and a random network."""
    yield "majority", lambda: None
    yield "pixels", lambda: downsample(store.frames)
    random = make_random()
    yield "random-cnn", partial(encode_frames, store, random, folder / "random-cnn")
    if readout is not None:  # the effect of the readout alone
        read = make_random()
        read.set_readout(readout, seed=seed)
        yield (
            display_name("random-cnn", read),
            partial(encode_frames, store, read, folder / "random-cnn-read"),
        )


def _evaluate_all(sources: dict[str, FeatureSource], evaluator: Evaluator, run: Path) -> dict[str, Subject]:
    """Return the scores of all subjects by name; finished ones are read from their files."""
    subjects = {}
    for number, (name, source) in enumerate(sources.items()):
        scores_file = run / "subjects" / f"{number}.json"
        numbers_file = scores_file.with_name(f"{number}-more.json")
        if not (scores_file.exists() and numbers_file.exists()):
            subject = evaluator(source(), name)
            write_scores(scores_file, subject.scores)
            write_json(numbers_file, subject.numbers)
            delete_features(run / "features")
        subjects[name] = Subject(read_scores(scores_file), json.loads(numbers_file.read_text()))
    return subjects
