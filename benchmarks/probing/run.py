"""What do encoders know of Atari games?  AtariARI's probes, with their controls.

    python -m benchmarks.probing.run --games pong breakout --seeds 0 1 2 --steps 10000
    python -m benchmarks.probing.run --encoders random-cnn st-dim=runs/st-dim/{game}-seed{seed} mine=runs/mine
    python -m benchmarks.probing.run --train st-dim gaussian-prior --train-updates 5000 --train-steps 20000
    python -m benchmarks.probing.run --report

An encoder is a name that `load_encoder` knows, or NAME=FOLDER of a saved one, where {game} and {seed}
stand for what is being probed; `majority`, `pixels`, `random-cnn` and `supervised` are the controls.
Each encoder is probed with each of `--readouts` ("own" is what it was saved with), by both protocols.
`--train` trains AtariARI's network by a method of `rlpriors pretrain`, from where random-cnn stands, on
other episodes of the same game; how long is part of its name, as is how long `supervised` learns.  The
control gaussian-prior learns nothing of frames: what it gains is conditioning.

Each seed plays anew.  A finished cell is a file in `runs/probe/` and two rows of `results/probe.csv`
(game, encoder, readout, protocol, seed, f1_weighted, f1_macro, accuracy, steps); both are skipped when
the command runs again, so it may be stopped at any time.  `--report` prints tables and rewrites those
of `docs/probe.md`.
"""

import argparse
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.probing.report import report
from benchmarks.probing.train import Training, trained
from benchmarks.tables import read_csv, write_csv
from benchmarks.workers import processes
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.envs.atari.collect import AtariSettings, collect
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.linear_probe import shrink
from rlpriors.scripts.pretrain.run import find_recipe
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
    write_judged,
)
from rlpriors.training.run_folder import write_json

RESULTS = Path(__file__).parents[1] / "results" / "probe.csv"
COLUMNS = (
    *("game", "encoder", "readout", "protocol", "seed"),
    *("f1_weighted", "f1_macro", "accuracy", "steps"),
)
SIX = ("boxing", "breakout", "mspacman", "pong", "seaquest", "spaceinvaders")
WHOLE = ("majority", "pixels")
"""Subjects without a readout, beside `supervised`."""

Cell = tuple[str, str]
"""An encoder's name and a readout."""


@dataclass(frozen=True)
class Job:
    """The cells of a game and a seed."""

    game: str
    seed: int
    steps: int
    cells: tuple[Cell, ...]
    sources: dict[str, str]
    """Where each encoder comes from."""
    methods: dict[str, str]
    """By what the others are trained."""
    training: Training
    folder: Path
    probes: ProbeSettings
    taught: ProbeSettings
    min_frames: int
    repeats: bool
    color: bool
    device: str
    keep: bool
    """Whether frames stay when all cells are done."""


def run_job(job: Job) -> None:
    """All cells of a game and a seed that have no file yet."""
    torch.set_num_threads(1 if job.device == "cpu" else torch.get_num_threads())
    check_settings(job)
    todo = [cell for cell in job.cells if not cell_file(job, cell).exists()]
    if not todo:
        return
    frames = job.folder / f"frames-{job.steps}"
    play = AtariSettings(gray=not job.color)
    store = collect(job.game, job.steps, job.seed, frames, play, progress=False)
    task = atari_task(store, job.game, seed=job.seed, min_frames=job.min_frames, repeats=job.repeats)
    for cell in todo:
        started = time.monotonic()
        try:
            judged = judge(job, cell, store, task)
        except (ValueError, FileNotFoundError) as error:
            print(f"{job.game} seed {job.seed} {' '.join(cell)}: left out. {error}", flush=True)
            continue
        write_judged(cell_file(job, cell), judged)
        f1 = ", ".join(f"{scores.mean.f1_weighted:.3f} {name}" for name, scores in judged.items())
        spent = time.monotonic() - started
        print(f"{job.game} seed {job.seed} {' '.join(cell)}: {f1}; {spent:.0f} s", flush=True)
    if not job.keep:
        for folder in list(job.folder.rglob("frames-*")):
            shutil.rmtree(folder)


def check_settings(job: Job) -> None:
    """Cells of one folder are probed alike, or they could not be compared.

    Raises:
        ValueError: those that are there already were probed otherwise.
    """
    now = {"epochs": job.probes.epochs, "min_frames": job.min_frames, "color": job.color}
    now["repeats"] = job.repeats
    file = job.folder / "settings.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, now)
    told = {"repeats": False, **json.loads(file.read_text())}
    before = {name: told.get(name) for name in now}
    if before != now:
        raise ValueError(
            f"{job.folder} holds cells that were probed with {before}. Received {now}: give another --runs "
            "for these, and another --results."
        )


def judge(job: Job, cell: Cell, store: FrameStore, task: ProbeTask) -> Judged:
    """Scores of one cell by both protocols."""
    name, readout = cell
    if name == "majority":
        return judge_majority(task)
    if name.startswith("supervised"):
        return judge_supervised(store, task, job.taught, seed=job.seed, device=job.device, progress=False)
    if name == "pixels":
        features = shrink(store.frames)
    elif name == "random-cnn":
        encoder = random_cnn(store.frames.shape[1:], seed=job.seed, device=job.device)
        encoder.set_readout("cls" if readout == "own" else readout, seed=job.seed)
    else:
        source = source_of(job, name)
        chosen = None if readout == "own" else readout
        encoder = load_encoder(source, readout=chosen, device=job.device, chunk_size=256, seed=job.seed)
    kept = job.folder / f"features-{slug(cell)}"
    if name != "pixels":
        features = encoded(store, encoder, kept, progress=False)
    judged = judge_features(features, task, job.probes, seed=job.seed, device=job.device, progress=False)
    forget(kept)
    return judged


def source_of(job: Job, name: str) -> str:
    """The folder or name of an encoder, which is trained first where that is to be done."""
    if name not in job.methods:
        return job.sources[name].format(game=job.game, seed=job.seed)
    play = AtariSettings(gray=not job.color)
    folder = job.folder / "trained"
    return str(trained(job.methods[name], job.game, job.seed, job.training, play, folder, job.device))


def slug(cell: Cell) -> str:
    """A cell as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", f"{cell[0]}--{cell[1]}").strip("_")


def cell_file(job: Job, cell: Cell) -> Path:
    """Where a cell's scores are kept."""
    return job.folder / f"{slug(cell)}--{job.steps}.json"


def read_rows(path: Path = RESULTS) -> list[dict[str, str]]:
    """The csv, each row by the names of its columns."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in read_csv(path)]


def add_rows(jobs: list[Job], results: Path) -> None:
    """Put the scores of all finished cells into the csv, beside what is there already."""
    keys = COLUMNS[:5]
    rows = {tuple(row[key] for key in (*keys, "steps")): row for row in read_rows(results)}
    for job in jobs:
        for cell in job.cells:
            path = cell_file(job, cell)
            if not path.exists():
                continue
            for protocol, scores in read_judged(path).items():
                numbers = [f"{number:.4f}" for number in scores.mean]
                values = [job.game, *cell, protocol, str(job.seed), *numbers, str(job.steps)]
                rows[(*values[:5], values[-1])] = dict(zip(COLUMNS, values, strict=True))
    write_csv(results, COLUMNS, (list(row.values()) for _, row in sorted(rows.items())))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", nargs="+", default=list(SIX), help='names, or "all" for the paper\'s 22')
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=10_000, help="AtariARI plays 50000")
    parser.add_argument(
        "--encoders", nargs="+", default=["majority", "pixels", "random-cnn"], help="names, or NAME=FOLDER"
    )
    parser.add_argument("--train", nargs="+", default=[], help="methods, such as st-dim gaussian-prior")
    parser.add_argument("--train-updates", type=int, default=5000)
    parser.add_argument("--train-steps", type=int, help="play to learn from; twice --steps, as AtariARI")
    parser.add_argument("--readouts", nargs="+", default=["own"], help='such as own mean "grid(4)"')
    parser.add_argument("--epochs", type=int, default=100, help="most passes of the probes")
    parser.add_argument("--supervised-epochs", type=int, default=100, help="most passes over the labels")
    parser.add_argument(
        "--repeats", action="store_true", help="test frames count that stand in training too, as in AtariARI"
    )
    parser.add_argument("--color", action="store_true", help="frames in color")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="games and seeds that run side by side")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "probe", help="where cells are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--keep-frames", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that all runs; no csv")
    parser.add_argument("--report", action="store_true", help="no runs: tables from the csv")
    args = parser.parse_args()
    if args.report:
        report(read_rows(args.results), RESULTS.parent.parent.parent / "docs" / "probe.md")
        return
    otherwise = [
        f"--{name}"
        for name in ("repeats", "color", "epochs")
        if getattr(args, name) != parser.get_default(name)
    ]
    if otherwise and args.results == RESULTS and not args.quick:
        told = " ".join(otherwise)
        parser.error(f"scores with {told} cannot stand beside others: give another --results, and --runs")
    if args.quick:
        args.steps, args.epochs, args.supervised_epochs = min(args.steps, 600), 2, 1
        args.runs = args.runs.with_name(f"{args.runs.name}-quick")
    games = list(PAPER_GAMES) if args.games == ["all"] else [game_name(game) for game in args.games]
    pairs = [entry.partition("=") for entry in args.encoders]
    taught = f"supervised ({args.supervised_epochs} epochs)"
    sources = {taught if name == "supervised" else name: source or name for name, _, source in pairs}
    for method in args.train:
        find_recipe(method, {})  # a wrong name should not be found out after minutes
    training = Training(args.train_updates, args.train_steps or 2 * args.steps)
    methods = {training.title(method): method for method in args.train}
    names = [*sources, *methods]
    cells = [
        (name, readout) for name in names for readout in ([""] if name in (*WHOLE, taught) else args.readouts)
    ]
    known = {
        (row["game"], row["encoder"], row["readout"], row["seed"], row["steps"])
        for row in ([] if args.quick else read_rows(args.results))
    }
    jobs = [
        Job(
            game=game,
            seed=seed,
            steps=args.steps,
            cells=tuple(c for c in cells if (game, *c, str(seed), str(args.steps)) not in known),
            sources=sources,
            methods=methods,
            training=training,
            folder=args.runs / game / f"seed{seed}",
            probes=ProbeSettings(epochs=args.epochs),
            taught=ProbeSettings(epochs=args.supervised_epochs),
            min_frames=20 if args.quick else 65,
            repeats=args.repeats,
            color=args.color,
            device=args.device,
            keep=args.keep_frames,
        )
        for seed in args.seeds
        for game in games
    ]
    os.environ["OMP_NUM_THREADS"] = "1"  # games run side by side instead
    with processes(args.workers) as pool:
        for future in [pool.submit(run_job, job) for job in jobs]:
            future.result()
            if not args.quick:
                add_rows(jobs, args.results)


if __name__ == "__main__":
    main()
