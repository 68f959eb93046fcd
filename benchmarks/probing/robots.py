"""Positions and velocities of robots in the features of rendered frames.

    python -m benchmarks.probing.robots
    python -m benchmarks.probing.robots --envs Reacher-v5 --seeds 0 1 2 --n-workers 2
    python -m benchmarks.probing.robots --report

Ridge regression predicts each position and velocity from the features of two frames in a row, as
`rlpriors probe --env Reacher-v5` does with one frame.  Frames of 84 x 84 pixels show a random policy.
`pixels` are the frames at 20 x 20.  Vectors of other encoders with more than 512 numbers per frame are
projected by random signs to 512.  Networks with *calibrated* statistics of BatchNorm have those of the frames
that the probe is fitted on.

A cell is an environment, an encoder with its readout, and a seed.  Its file is in `runs/robots/`, and its
rows are in `results/robots.csv` (env, encoder, weights, bn, readout, seed, dim, target, r2): the mean R2 of
all positions and of all velocities that vary, where an R2 below 0 counts as 0.  A finished cell is skipped
when the command runs again.  `--report` prints the table and rewrites that of `docs/results/robots.md`.
"""

import os
from collections.abc import Iterator
from concurrent.futures import as_completed
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.cells import add_rows, read_cells, unfinished, write_cell
from benchmarks.probing.robots_report import COLUMNS, report
from benchmarks.tables import make_parser, read_csv
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.calibration import bn_calibrate
from rlpriors.envs.mujoco.collect import collect_mujoco
from rlpriors.evaluation.probing.linear_probe import downsample
from rlpriors.evaluation.probing.states import StateTargets, evaluate_states, state_targets
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "robots.csv"
PAGE = ROOT / "docs" / "results" / "robots.md"
ENVS = ("InvertedPendulum-v5", "Reacher-v5", "Hopper-v5", "HalfCheetah-v5")
MAX_DIM = 512
"""Number of features per frame that are probed; longer vectors are projected."""
CHUNK = 64
N_CALIBRATION = 512
PIXELS, LITE0 = "pixels", "efficientnet-lite0"


class Subject(NamedTuple):
    """Encoder and readout."""

    encoder: str
    """Name of the encoder, or "pixels"."""
    weights: str = "none"
    """Weights: imagenet or none."""
    bn: str = "none"
    """Statistics of BatchNorm: original, calibrated, or none for a network without BatchNorm."""
    readout: str = "cls"
    """Readout; after "at" the pixels per cell of the network's map."""

    def load(self, store: FrameStore, targets: StateTargets, seed: int) -> ImageEncoder:
        """Return the encoder, with at most 512 numbers per frame."""
        readout, _, stride = self.readout.partition(" at ")
        options: dict[str, Any] = {"stride": int(stride)} if stride else {}
        encoder = load_encoder(
            self.encoder,
            weights="none" if self.weights == "none" else "auto",
            input_size=store.frames.shape[1:3],
            readout=readout,
            device="cpu",
            chunk_size=CHUNK,
            seed=seed,
            **options,
        )
        if self.bn == "calibrated":
            rows = targets.train[:: max(1, len(targets.train) // N_CALIBRATION)]
            bn_calibrate(encoder, np.array(store.frames[np.sort(rows)]), seed=seed)
        if encoder.output_shape[0] > MAX_DIM:
            encoder.set_readout(f"{readout}>sign-projection({MAX_DIM})")
        return encoder


LITE0_READOUTS = ("cls", "grid(4) at 16", "lines at 8")
SUBJECTS = (
    Subject(PIXELS, readout=""),
    *(Subject("nature-cnn", readout=readout) for readout in ("cls", "grid(4)", "lines")),
    *(Subject("contrast-filters", readout=readout) for readout in ("grid(4)", "lines")),
    *(Subject(LITE0, "imagenet", "original", readout) for readout in LITE0_READOUTS),
    *(Subject(LITE0, "imagenet", "calibrated", readout) for readout in LITE0_READOUTS),
    *(Subject(LITE0, "none", "calibrated", readout) for readout in LITE0_READOUTS),
)


class Cell(NamedTuple):
    """Encoder and readout in an environment, with one seed."""

    env: str
    seed: int
    subject: Subject

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        names = (self.env, f"seed{self.seed}", *self.subject)
        return "-".join(name.replace(" ", "_") for name in names if name) + ".json"


def run_cell(cell: Cell, frames: Path, n_steps: int) -> dict[str, float]:
    """Return the mean R2 of positions and of velocities, and the number of features of two frames."""
    torch.set_num_threads(1)
    folder = frames / f"{cell.env}-{n_steps}-seed{cell.seed}"
    store = collect_mujoco(cell.env, n_steps, cell.seed, folder, progress=False)
    targets = state_targets(store, cell.seed)
    if cell.subject.encoder == PIXELS:
        features = downsample(store.frames, (20, 20))
    else:
        encoder = cell.subject.load(store, targets, cell.seed)
        chunks = (np.array(store.frames[i : i + CHUNK]) for i in range(0, store.n_frames, CHUNK))
        features = np.concatenate([encoder.encode(chunk).numpy() for chunk in chunks])
    pairs = join_previous(features, store.lengths)
    scores = evaluate_states(pairs, targets)
    found = {"dim": float(pairs.shape[1])}
    for target, name in (("positions", "qpos"), ("velocities", "qvel")):
        known = [r2 for key, r2 in scores.items() if f"/{name}[" in key and not np.isnan(r2)]
        found[target] = float(np.mean(np.maximum(known, 0)))
    return found


def join_previous(features: Float[np.ndarray, "frames dim"], lengths: np.ndarray) -> np.ndarray:
    """Return each frame's features after those of the frame before; the first of an episode is its own.

    Example:
        >>> join_previous(np.arange(4.0)[:, None], np.array([2, 2])).tolist()
        [[0.0, 0.0], [0.0, 1.0], [2.0, 2.0], [2.0, 3.0]]
    """
    before = np.maximum(np.arange(len(features)) - 1, 0)
    starts = np.cumsum([0, *lengths[:-1]])
    before[starts] = starts
    return np.concatenate([features[before], features], 1)


def run_cells(cells: Iterator[Cell], runs: Path, n_steps: int, n_workers: int) -> None:
    """Run the cells in worker processes, and write their files."""
    run = partial(run_cell, frames=runs / "frames", n_steps=n_steps)
    with WorkerPool(n_workers) as pool:
        jobs = {pool.submit(run, cell): cell for cell in cells}
        for job in as_completed(jobs):
            cell, found = jobs[job], job.result()
            rows = [
                [cell.env, *cell.subject, str(cell.seed), f"{found['dim']:.0f}", name, f"{found[name]:.4f}"]
                for name in ("positions", "velocities")
            ]
            write_cell(runs / cell.file, rows)
            scores = ", ".join(f"{name} {found[name]:.3f}" for name in ("positions", "velocities"))
            print(f"{cell.env} seed {cell.seed} {' '.join(cell.subject)}: {scores}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    names = list(dict.fromkeys(subject.encoder for subject in SUBJECTS))
    parser.add_argument("--envs", nargs="+", default=list(ENVS), help="MuJoCo environments")
    parser.add_argument("--encoders", nargs="+", choices=names, default=names, help="encoders")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--n-steps", type=int, default=3000, help="number of steps of each environment")
    parser.add_argument("--n-workers", type=int, default=1, help="number of cells at a time")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "robots", help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the scores")
    parser.add_argument("--report", action="store_true", help="write the table from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    subjects = [subject for subject in SUBJECTS if subject.encoder in args.encoders]
    cells = (Cell(env, seed, subject) for seed in args.seeds for env in args.envs for subject in subjects)
    run_cells(unfinished(cells, args.runs), args.runs, args.n_steps, args.n_workers)
    rows = [row for rows in read_cells(args.runs) for row in rows]
    add_rows(args.results, COLUMNS, rows)


if __name__ == "__main__":
    main()
