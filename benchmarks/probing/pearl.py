"""Value of pretraining and of the readout: PEARL's comparison of encoders on Atari games, with controls.

    python -m benchmarks.probing.pearl
    python -m benchmarks.probing.pearl --games pong mspacman --seeds 0 1 2 --n-steps 10000
    python -m benchmarks.probing.pearl --speed
    python -m benchmarks.probing.pearl --report

PEARL (github.com/PAL-ML/PEARL_v1) probes pretrained encoders on crops of Atari frames, without random
weights in the same network.  Here every readout is applied to EfficientNet-lite0 with weights of ImageNet and
with random weights, each with its own statistics of BatchNorm and with those of other Atari games, and to
`rlpriors/atari-filters` and AtariARI's random network.  No network and no statistic is fitted to a game that
is probed.  Vectors of more than 512 numbers are projected by random signs to 512, so that no probe has more
weights; by the standardized protocol each number is standardized before the projection.

A finished cell is a file in `runs/pearl/` and two rows of `results/pearl.csv` (game, encoder, weights, bn,
readout, dim, protocol, seed, f1_weighted, frames_per_s).  Both are skipped when the command runs again.
`--speed` measures the readouts; its frames per second are those of one core in CPU time.  `--report` prints
the tables and rewrites those of `docs/results/pearl.md`.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.pretraining.bundle_filters import OTHER_GAMES
from benchmarks.probing.pearl_features import (
    ENCODERS,
    MAX_DIM,
    PARTS,
    Networks,
    PearlEncoder,
    ProbedFrames,
    frames_per_second,
    make_features,
    shorten,
)
from benchmarks.probing.pearl_report import COLUMNS, report
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.atari.probe_task import make_atari_task
from rlpriors.envs.atari.ram_annotations import game_name
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS, probe
from rlpriors.training.run_folder import write_json

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "pearl.csv"
PAGE = ROOT / "docs" / "results" / "pearl.md"
NAMES = list(dict.fromkeys(encoder.name for encoder in ENCODERS))
GAMES = ("pong", "breakout", "mspacman", "qbert", "spaceinvaders", "seaquest")


class Unit(NamedTuple):
    """Cells that share one pass through a network."""

    game: str
    seed: int
    part: str
    encoder: PearlEncoder

    def cell(self, runs: Path, readout: str) -> Path:
        """Return the file of the scores of a readout."""
        names = (*self.encoder, readout)
        plain = "--".join(name.replace("/", "_").replace(" ", "_") for name in names)
        return runs / self.game / f"seed{self.seed}" / f"{plain}.json"


def units(games: Sequence[str], seeds: Sequence[int], names: Sequence[str]) -> Iterator[Unit]:
    """Yield all units: all games of a seed before the next one, and whole frames before crops."""
    encoders = [encoder for encoder in ENCODERS if encoder.name in names]
    for seed in seeds:
        for part in PARTS:
            for game in games:
                yield from (Unit(game, seed, part, encoder) for encoder in encoders)


def run_unit(unit: Unit, networks: Networks, args: argparse.Namespace) -> None:
    """Probe the readouts of a unit that have no file yet, and write their scores."""
    files = {name: unit.cell(args.runs, name) for name in unit.encoder.readouts(unit.part)}
    if all(file.exists() for file in files.values()):
        return
    task, probed = frames_of(unit, args)
    start, settings = time.monotonic(), ProbeSettings(epochs=args.epochs)
    vectors = make_features(unit.encoder, unit.part, probed, networks, unit.seed)
    for name, file in files.items():
        if file.exists():
            continue
        vector, f1 = vectors[name](), {}
        for protocol in PROTOCOLS:
            features = shorten(vector, task.train if protocol == "standardized" else None)
            scores = probe(features, task, protocol, settings, seed=unit.seed, device="cpu")
            f1[protocol] = round(scores.mean.f1_weighted, 4)
        write_json(file, {"dim": min(vector.shape[1], MAX_DIM), "f1_weighted": f1})
        title = f"{unit.game} seed {unit.seed} {' '.join(unit.encoder)} {name}"
        print(f"{title}: {f1}; {time.monotonic() - start:.0f} s", flush=True)
        start = time.monotonic()


def frames_of(unit: Unit, args: argparse.Namespace) -> tuple[ProbeTask, ProbedFrames]:
    """Return the task of a game, and the frames of its labels."""
    folder = args.runs / unit.game / f"seed{unit.seed}" / f"frames-{args.n_steps}"
    store = collect_atari(unit.game, args.n_steps, unit.seed, folder, progress=False)
    task = make_atari_task(store, unit.game, seed=unit.seed, min_frames=args.min_frames)
    parts = (task.train, task.val, task.test)
    rows, place = np.unique(np.concatenate(parts), return_inverse=True)
    train, val, test = np.split(place, np.cumsum([len(task.train), len(task.val)]))
    used = replace(
        task, labels=task.labels[rows], episodes=task.episodes[rows], train=train, val=val, test=test
    )
    return used, ProbedFrames.of_rows(store, rows)


def calibration_frames(args: argparse.Namespace) -> np.ndarray:
    """Return frames of games that cannot be probed."""
    settings = AtariSettings(policy="sticky")
    stores = [
        collect_atari(
            *(game, args.calibration_steps, PRETRAINING_SEED_OFFSET, args.runs / "other" / game, settings),
            progress=False,
        )
        for game in OTHER_GAMES
    ]
    return np.concatenate([np.asarray(store.frames) for store in stores])


def add_rows(todo: Iterable[Unit], args: argparse.Namespace) -> None:
    """Add the scores of all finished cells to the csv, with the measured speeds."""
    rows = {tuple(row[:8]): row for row in read_csv(args.results)}
    speeds = json.loads(speed_file(args).read_text()) if speed_file(args).exists() else {}
    for unit in todo:
        for name in unit.encoder.readouts(unit.part):
            file = unit.cell(args.runs, name)
            if not file.exists():
                continue
            cell = json.loads(file.read_text())
            for protocol, f1 in cell["f1_weighted"].items():
                key = (unit.game, *unit.encoder, name, str(cell["dim"]), protocol, str(unit.seed))
                fps = speeds.get(f"{unit.encoder.name} {name}", "")
                rows[key] = [*key, f"{f1:.4f}", str(fps)]
    write_csv(args.results, COLUMNS, (row for _, row in sorted(rows.items())))


def measure_speed(args: argparse.Namespace) -> None:
    """Measure the frames per second of every readout that has none yet, and write them."""
    file = speed_file(args)
    speeds = json.loads(file.read_text()) if file.exists() else {}
    for encoder in {encoder.name: encoder for encoder in ENCODERS}.values():
        for name in (name for part in PARTS for name in encoder.readouts(part)):
            key = f"{encoder.name} {name}"
            if key not in speeds:
                speeds[key] = round(frames_per_second(encoder, name), 1)
                write_json(file, speeds)
                print(key, speeds[key], "frames per second", flush=True)


def speed_file(args: argparse.Namespace) -> Path:
    """Return the file of the speeds."""
    return Path(args.runs) / "speed.json"


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--games", nargs="+", default=list(GAMES), help="names of games")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="random seeds")
    parser.add_argument("--encoders", nargs="+", default=NAMES, choices=NAMES, help="names of networks")
    parser.add_argument("--n-steps", type=int, default=1500, help="steps of each game; PEARL uses 50000")
    parser.add_argument("--epochs", type=int, default=100, help="maximum epochs of the probes")
    parser.add_argument("--min-frames", type=int, default=20, help="shorter episodes are left out")
    parser.add_argument(
        "--calibration-steps", type=int, default=32, help="steps of each of 8 other games, for BatchNorm"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs") / "pearl", help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the scores")
    parser.add_argument(
        "--speed", action="store_true", help="measure the speed of readouts and probe nothing"
    )
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    todo = list(units([game_name(game) for game in args.games], args.seeds, args.encoders))
    check_settings(args)
    if args.speed:
        measure_speed(args)
    else:
        networks = Networks(partial(calibration_frames, args))
        for unit in todo:
            run_unit(unit, networks, args)
            add_rows([unit], args)
    add_rows(todo, args)


def check_settings(args: argparse.Namespace) -> None:
    """Check that all cells in a folder have the same settings, or record the settings.

    Raises:
        ValueError: the folder has cells with other settings.
    """
    names = ("n_steps", "epochs", "min_frames", "calibration_steps")
    settings, file = {name: getattr(args, name) for name in names}, args.runs / "settings.json"
    if not file.exists():
        args.runs.mkdir(parents=True, exist_ok=True)
        write_json(file, settings)
    saved = json.loads(file.read_text())
    if saved != settings:
        raise ValueError(
            f"{args.runs} contains cells that were probed with {saved}. Received {settings}: pass another "
            "--runs and another --results."
        )


if __name__ == "__main__":
    main()
