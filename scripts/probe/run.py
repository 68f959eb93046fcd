"""What an encoder knows of a game or a robot, in a table beside its controls: `rlpriors probe`."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.envs.atari.collect import AtariSettings, collect
from rlpriors.envs.atari.ram_annotations import game_name
from rlpriors.envs.mujoco.collect import collect_mujoco
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, shrink
from rlpriors.scripts.probe.baselines import (
    Judged,
    atari_task,
    encoded,
    forget,
    judge_features,
    judge_majority,
    judge_supervised,
    random_cnn,
    read_judged,
    title,
    write_judged,
)
from rlpriors.scripts.probe.behavior import Behavior, Numbers, find_behavior, judge_behavior, measure
from rlpriors.scripts.probe.settings import ProbeRunSettings
from rlpriors.scripts.probe.states import judge_states, state_targets
from rlpriors.scripts.probe.tables import Subject, game_table, more_table, rows_of, state_table, write_rows
from rlpriors.training.run_folder import create_or_resume_run, write_json

__all__ = ["probe"]

Judge = Callable[[np.ndarray | None, str], Subject]
"""From a subject's features, None where it has none, and its name to what is found of it."""


def probe(settings: ProbeRunSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Probe the encoder and its controls, print the table, and return the run's folder.

    Each subject's scores are a file of their own: with `resume` those that are there are not made again.
    """
    world = settings.env or Path(str(settings.data)).resolve().name
    world = world if settings.game is None else game_name(settings.game)
    # Before anything is collected: a wrong name should not be found out after minutes.
    encoder = _encoder(settings)
    name = re.sub(r"[^\w.]+", "-", f"{world}-{settings.encoder or 'controls'}").strip("-").lower()
    run = create_or_resume_run(folder or Path("runs") / f"probe-{name}", settings, resume=resume)
    store = _frames(settings, world)
    console = Console(markup=False, highlight=False)
    behavior = _behavior(settings, store, console)
    subjects = _judge_all(settings, store, encoder, run, _judge(settings, store, behavior))
    write_rows(run, rows_of(world, subjects, settings.seed))
    if settings.game is not None:
        for protocol in PROTOCOLS:
            console.print(game_table(world, subjects, protocol))
    elif settings.env is not None:
        console.print(state_table(world, subjects))
    console.print(more_table(world, subjects))
    console.print(f"Scalars: tensorboard --logdir {run / 'tensorboard'}", soft_wrap=True)
    console.print(str(run / "probe.csv"), soft_wrap=True)
    return run


def _encoder(settings: ProbeRunSettings) -> ImageEncoder | None:
    if settings.encoder is None:
        return None
    return load_encoder(
        settings.encoder,
        readout=settings.readout,
        weights=settings.weights,
        device=settings.device,
        allow_noncommercial=settings.allow_noncommercial,
        trust_remote_code=settings.trust_remote_code,
        input_size=settings.input_size,
        chunk_size=256,
        seed=settings.seed,
    )


def _frames(settings: ProbeRunSettings, world: str) -> FrameStore:
    """The frames that were given, or new ones, or those that an earlier run collected."""
    if settings.data is not None:
        return FrameStore.open(settings.data)
    base = f"{settings.steps}-seed{settings.seed}"
    if settings.env is not None:
        kept = Path("runs") / "frames" / f"{world.lower()}-{base}"
        return collect_mujoco(world, settings.steps, settings.seed, kept)
    colors = "color" if settings.color else "gray"
    return collect(
        world,
        settings.steps,
        settings.seed,
        Path("runs") / "frames" / f"{world}-{settings.policy}-{colors}-{base}",
        AtariSettings(policy=settings.policy, gray=not settings.color),
        processes=settings.processes,
    )


def _behavior(settings: ProbeRunSettings, store: FrameStore, console: Console) -> Behavior | None:
    """Actions and rewards, which not every store has: missed only where nothing else is asked for."""
    try:
        found = find_behavior(store, expert=settings.data is not None, seed=settings.seed)
    except ValueError as error:
        if settings.game is None and settings.env is None:
            raise
        console.print(f"Actions and rewards are left out: {error}", soft_wrap=True)
        return None
    for name, reason in ({} if found.task is None else found.task.dropped).items():
        console.print(f"The label {name} is left out: {reason}.", soft_wrap=True)
    return found


def _judge(settings: ProbeRunSettings, store: FrameStore, behavior: Behavior | None) -> Judge:
    """How every subject is judged."""
    probes = ProbeSettings(epochs=settings.epochs)
    more: dict[str, Any] = {"seed": settings.seed, "device": settings.device}
    task = targets = None
    if settings.game is not None:
        task = atari_task(store, settings.game, seed=settings.seed, min_frames=settings.min_frames)
    elif settings.env is not None:
        targets = state_targets(store, settings.seed)

    def judge(features: np.ndarray | None, name: str) -> Subject:
        judged: Judged = {}
        numbers: Numbers = {}
        if task is not None:
            if features is not None:
                judged = judge_features(features, task, probes, **more)
            elif name == "supervised":
                taught = replace(probes, epochs=settings.supervised_epochs)
                judged = judge_supervised(store, task, taught, **more)
            else:
                judged = judge_majority(task)
        if targets is not None and features is not None:
            numbers |= judge_states(features, targets)
        if behavior is not None and name != "supervised":  # which was told something else
            numbers |= judge_behavior(features, behavior, probes, **more)
        if features is not None:
            numbers |= measure(features)
        return Subject(judged, numbers)

    return judge


def _judge_all(
    settings: ProbeRunSettings, store: FrameStore, encoder: ImageEncoder | None, run: Path, judge: Judge
) -> dict[str, Subject]:
    """What is found of all who are compared, by name."""
    features = run / "features"
    start: Callable[[], ImageEncoder]
    if settings.game is not None:
        start = partial(random_cnn, store.frames.shape[1:], seed=settings.seed, device=settings.device)
    else:
        start = partial(
            load_encoder,
            "nature-cnn",
            weights="none",
            seed=settings.seed,
            device=settings.device,
            chunk_size=256,
        )
    control = start()
    seen: dict[str, Callable[[], np.ndarray | None]] = {
        "majority": lambda: None,
        "pixels": lambda: shrink(store.frames),
        "random-cnn": lambda: encoded(store, control, features / "random-cnn"),
    }
    if settings.readout is not None:  # what a readout alone is worth
        read = start()
        read.set_readout(settings.readout, seed=settings.seed)
        seen[title("random-cnn", read)] = lambda: encoded(store, read, features / "random-cnn-read")
    if encoder is not None:
        seen[title(str(settings.encoder), encoder)] = lambda: encoded(store, encoder, features / "encoder")
    if settings.supervised_epochs and settings.game is not None:
        seen["supervised"] = lambda: None
    subjects = {}
    for number, (name, see) in enumerate(seen.items()):
        kept = run / "subjects" / f"{number}.json"
        others = kept.with_name(f"{number}-more.json")
        if not (kept.exists() and others.exists()):
            found = judge(see(), name)
            write_judged(kept, found.judged)
            write_json(others, found.numbers)
            forget(features)
        subjects[name] = Subject(read_judged(kept), json.loads(others.read_text()))
    return subjects
