"""What an encoder knows of a game or a robot, in a table beside its controls: `rlpriors probe`."""

import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from torch.utils.tensorboard import SummaryWriter

from rlpriors.checkpoint import write_atomically
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.evaluation.probe_layer import ProbeSettings
from rlpriors.evaluation.probe_scores import Scores
from rlpriors.evaluation.probes import PROTOCOLS, shrink
from rlpriors.scripts.atari import AtariSettings, collect
from rlpriors.scripts.atari_ram import CATEGORIES, game_name
from rlpriors.scripts.mujoco_frames import collect_mujoco
from rlpriors.scripts.probe_settings import ProbeRunSettings
from rlpriors.scripts.probe_states import judge_states, state_rows, state_table
from rlpriors.scripts.probe_subjects import (
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
from rlpriors.scripts.runs import open_run

__all__ = ["probe"]

COLUMNS = ("world", "subject", "protocol", "seed", "of")


def probe(settings: ProbeRunSettings, *, folder: Path | None = None, resume: bool = False) -> Path:
    """Probe the encoder and its controls, print the table, and return the run's folder.

    Each subject's scores are a file of their own: with `resume` those that are there are not made again.
    """
    world = game_name(settings.game) if settings.game is not None else str(settings.env)
    # Before anything is collected: a wrong name should not be found out after minutes.
    encoder = _encoder(settings)
    name = re.sub(r"[^\w.]+", "-", f"{world}-{settings.encoder or 'controls'}").strip("-").lower()
    run = open_run(folder or Path("runs") / f"probe-{name}", settings, resume=resume)
    store = _frames(settings, world)
    subjects: dict[str, Any]
    if settings.game is not None:
        subjects = _judge_game(settings, store, encoder, run)
        table = game_table(world, subjects)
        rows = game_rows(world, subjects, settings.seed)
    else:
        seen = {} if encoder is None else {title(str(settings.encoder), encoder): encoder}
        subjects = judge_states(store, seen, run, seed=settings.seed, device=settings.device)
        table = state_table(world, subjects)
        rows = state_rows(world, subjects, settings.seed)
    _write(run, ("r2",) if settings.game is None else Scores._fields, rows)
    console = Console(markup=False, highlight=False)
    console.print(table)
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
    colours = "colour" if settings.colour else "grey"
    return collect(
        world,
        settings.steps,
        settings.seed,
        Path("runs") / "frames" / f"{world}-{settings.policy}-{colours}-{base}",
        AtariSettings(policy=settings.policy, grey=not settings.colour),
        processes=settings.processes,
    )


def _judge_game(
    settings: ProbeRunSettings, store: FrameStore, encoder: ImageEncoder | None, run: Path
) -> dict[str, Judged]:
    """Scores of everything that is compared, by name."""
    assert settings.game is not None
    task = atari_task(store, settings.game, seed=settings.seed, min_frames=settings.min_frames)
    probes = ProbeSettings(epochs=settings.epochs)
    more: dict[str, Any] = {"seed": settings.seed, "device": settings.device}

    def judge_encoder(chosen: ImageEncoder, name: str) -> Judged:
        features = run / "features" / name
        judged = judge_features(encoded(store, chosen, features), task, probes, **more)
        forget(features)
        return judged

    ways: dict[str, Callable[[], Judged]] = {
        "majority": lambda: judge_majority(task),
        "pixels": lambda: judge_features(shrink(store.frames), task, probes, **more),
        "random-cnn": lambda: judge_encoder(random_cnn(store.frames.shape[1:], **more), "random-cnn"),
    }
    if encoder is not None:
        ways[title(str(settings.encoder), encoder)] = lambda: judge_encoder(encoder, "encoder")
    if settings.supervised:
        ways["supervised"] = lambda: judge_supervised(store, task, probes, **more)
    subjects = {}
    for number, (name, judge) in enumerate(ways.items()):
        kept = run / "subjects" / f"{number}.json"
        if not kept.exists():
            write_judged(kept, judge())
        subjects[name] = read_judged(kept)
    return subjects


def game_table(world: str, subjects: Mapping[str, Judged]) -> Table:
    """Weighted F1 by category, and the means, of every subject by both protocols."""
    used = [c for c in CATEGORIES if any(c in s.categories for j in subjects.values() for s in j.values())]
    table = Table(title=f"{world}: F1 (weighted) by category, and the means over categories")
    for heading in (
        "protocol",
        "subject",
        *(c.replace("_", " ") for c in used),
        "F1",
        "macro F1",
        "accuracy",
    ):
        table.add_column(heading, justify="left" if heading in ("protocol", "subject") else "right")
    for protocol in PROTOCOLS:
        for name, judged in subjects.items():
            scores = judged[protocol]
            cells = [scores.categories[c].f1_weighted if c in scores.categories else None for c in used]
            numbers = ["" if cell is None else f"{cell:.2f}" for cell in (*cells, *scores.mean)]
            table.add_row(protocol, name, *numbers)
        table.add_section()
    return table


def game_rows(world: str, subjects: Mapping[str, Judged], seed: int) -> list[list[Any]]:
    """Every score of every subject."""
    rows = []
    for name, judged in subjects.items():
        for protocol, scores in judged.items():
            all_scores = {"mean": scores.mean, **scores.categories, **scores.variables}
            for of, score in all_scores.items():
                rows.append([world, name, protocol, seed, of, *(round(number, 4) for number in score)])
    return rows


def _write(run: Path, metrics: tuple[str, ...], rows: list[list[Any]]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([(*COLUMNS, *metrics), *rows])

    write_atomically(run / "probe.csv", write)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for _, subject, protocol, seed, of, *numbers in rows:
            for metric, number in zip(metrics, numbers, strict=True):
                writer.add_scalar(f"{protocol}/{of}/{metric}/{subject}", number, seed)
