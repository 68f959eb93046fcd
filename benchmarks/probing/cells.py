"""Cells of the probing benchmark: one encoder and readout in one game with one seed.

`ProbeJob`   cells of a game and a seed
`run_job`    all unfinished cells of a job
`read_rows`  rows of the csv by column
`add_rows`   rows of finished cells in the csv
"""

import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.probing.training import Training, train_encoder
from benchmarks.tables import read_csv, write_csv
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.probe_task import make_atari_task
from rlpriors.evaluation.probing.baselines import (
    ProtocolScores,
    evaluate_features,
    evaluate_majority,
    evaluate_supervised,
    random_cnn,
)
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.linear_probe import downsample
from rlpriors.scripts.probe.results import delete_features, encode_frames, read_scores, write_scores
from rlpriors.training.run_folder import write_json

__all__ = ["COLUMNS", "Cell", "ProbeJob", "add_rows", "read_rows", "run_job"]

COLUMNS = (
    *("game", "encoder", "readout", "protocol", "seed"),
    *("f1_weighted", "f1_macro", "accuracy", "n_steps"),
)

Cell = tuple[str, str]
"""Encoder and readout."""


@dataclass(frozen=True)
class ProbeJob:
    """Cells of a game and a seed."""

    game: str
    seed: int
    n_steps: int
    cells: tuple[Cell, ...]
    sources: dict[str, str]
    """Name or folder of each encoder that exists already."""
    methods: dict[str, str]
    """Pretraining method of each encoder that is trained first."""
    training: Training
    folder: Path
    probe_settings: ProbeSettings
    supervised_settings: ProbeSettings
    min_frames: int
    repeats: bool
    color: bool
    device: str
    keep_frames: bool

    @property
    def collection(self) -> AtariSettings:
        """Settings of all frames."""
        return AtariSettings(gray=not self.color)


def run_job(job: ProbeJob) -> None:
    """Run all cells of a job that have no file yet."""
    torch.set_num_threads(1 if job.device == "cpu" else torch.get_num_threads())
    check_settings(job)
    unfinished = [cell for cell in job.cells if not cell_file(job, cell).exists()]
    if not unfinished:
        return
    frames = job.folder / f"frames-{job.n_steps}"
    store = collect_atari(job.game, job.n_steps, job.seed, frames, job.collection, progress=False)
    task = make_atari_task(store, job.game, seed=job.seed, min_frames=job.min_frames, repeats=job.repeats)
    for cell in unfinished:
        start, title = time.monotonic(), f"{job.game} seed {job.seed} {' '.join(cell)}"
        try:
            scores = score_cell(job, cell, store, task)
        except (ValueError, FileNotFoundError) as error:
            print(f"{title}: skipped. {error}", flush=True)
            continue
        write_scores(cell_file(job, cell), scores)
        f1 = ", ".join(f"{score.mean.f1_weighted:.3f} {name}" for name, score in scores.items())
        print(f"{title}: {f1}; {time.monotonic() - start:.0f} s", flush=True)
    if not job.keep_frames:
        for folder in list(job.folder.rglob("frames-*")):
            shutil.rmtree(folder)


def check_settings(job: ProbeJob) -> None:
    """Check that all cells in a folder are probed with the same settings, or record the settings.

    Raises:
        ValueError: the folder has cells with other settings.
    """
    settings: dict[str, Any] = {
        "epochs": job.probe_settings.epochs,
        "min_frames": job.min_frames,
        "color": job.color,
    }
    settings |= {"repeats": job.repeats, "sampling": job.probe_settings.sampling}
    file = job.folder / "settings.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)
    saved = {"repeats": False, "sampling": "random", **json.loads(file.read_text())}
    before = {name: saved.get(name) for name in settings}
    if before != settings:
        raise ValueError(
            f"{job.folder} contains cells that were probed with {before}. Received {settings}: pass another "
            "--runs and another --results."
        )


def score_cell(job: ProbeJob, cell: Cell, store: FrameStore, task: ProbeTask) -> ProtocolScores:
    """Return the scores of one cell by each protocol."""
    name, _ = cell
    if name == "majority":
        return evaluate_majority(task, job.probe_settings.sampling)
    if name.startswith("supervised"):
        return evaluate_supervised(
            store, task, job.supervised_settings, seed=job.seed, device=job.device, progress=False
        )
    folder = job.folder / f"features-{slug(cell)}"
    if name == "pixels":
        features = downsample(store.frames)
    else:
        features = encode_frames(store, load_cell_encoder(job, cell, store), folder, progress=False)
    scores = evaluate_features(
        features, task, job.probe_settings, seed=job.seed, device=job.device, progress=False
    )
    delete_features(folder)
    return scores


def load_cell_encoder(job: ProbeJob, cell: Cell, store: FrameStore) -> ImageEncoder:
    """Return the encoder of a cell with its readout; it is trained first if the job says so."""
    name, readout = cell
    if name == "random-cnn":
        encoder = random_cnn(store.frames.shape[1:], seed=job.seed, device=job.device)
        encoder.set_readout("cls" if readout == "default" else readout, seed=job.seed)
        return encoder
    chosen = None if readout == "default" else readout
    if name in job.methods:
        source = str(
            train_encoder(
                *(job.methods[name], job.game, job.seed, job.training, job.collection),
                *(job.folder / "trained", job.device),
            )
        )
    else:
        source = job.sources[name].format(game=job.game, seed=job.seed)
    return load_encoder(source, readout=chosen, device=job.device, chunk_size=256, seed=job.seed)


def slug(cell: Cell) -> str:
    """Return a cell as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", f"{cell[0]}--{cell[1]}").strip("_")


def cell_file(job: ProbeJob, cell: Cell) -> Path:
    """Return the file of a cell's scores."""
    return job.folder / f"{slug(cell)}--{job.n_steps}.json"


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of the csv by column."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in read_csv(path)]


def add_rows(jobs: list[ProbeJob], results: Path) -> None:
    """Add the scores of all finished cells to the csv."""
    keys = COLUMNS[:5]
    rows = {tuple(row[key] for key in (*keys, "n_steps")): row for row in read_rows(results)}
    for job in jobs:
        for cell in job.cells:
            path = cell_file(job, cell)
            if not path.exists():
                continue
            for protocol, scores in read_scores(path).items():
                numbers = [f"{number:.4f}" for number in scores.mean]
                values = [job.game, *cell, protocol, str(job.seed), *numbers, str(job.n_steps)]
                rows[(*values[:5], values[-1])] = dict(zip(COLUMNS, values, strict=True))
    write_csv(results, COLUMNS, (list(row.values()) for _, row in sorted(rows.items())))
