"""Linear probes of encoders on Atari games, by the protocols of AtariARI, with controls.

    python -m benchmarks.probing.run --games pong breakout --seeds 0 1 2 --n-steps 10000
    python -m benchmarks.probing.run --encoders random-cnn st-dim=runs/st-dim/{game}-seed{seed} mine=runs/mine
    python -m benchmarks.probing.run --train st-dim gaussian-prior --train-updates 5000 --train-steps 20000
    python -m benchmarks.probing.run --report

An encoder is a name of `load_encoder`, or NAME=FOLDER of a saved encoder, where {game} and {seed} stand for
those that are probed.  `majority`, `pixels`, `random-cnn` and `supervised` are the controls.  Each encoder is
probed with each of `--readouts` ("default" is the readout it was saved with), by both protocols.  `--train`
trains AtariARI's network by a method of `rlpriors pretrain`, starting from random-cnn, on other episodes of
the same game.  The names of such encoders, and of `supervised`, contain the length of their training.  The
control gaussian-prior uses no information of the frames: its gain over random-cnn is better conditioning.

Each seed has its own frames.  A finished cell is a file in `runs/probing/` and two rows of
`results/probing.csv` (game, encoder, readout, protocol, seed, f1_weighted, f1_macro, accuracy, n_steps).
Both are skipped when the command runs again, so it may be stopped at any time.  `--report` prints the tables
and rewrites those of `docs/results/probing.md`.
"""

import os
from pathlib import Path
from typing import get_args

from benchmarks.probing.cells import ProbeJob, add_rows, read_rows, run_job
from benchmarks.probing.report import report
from benchmarks.probing.training import Training
from benchmarks.tables import make_parser
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.sampling import Sampling
from rlpriors.representation.registry import find_recipe
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "probing.csv"
PAGE = ROOT / "docs" / "results" / "probing.md"
GAMES = ("boxing", "breakout", "mspacman", "pong", "seaquest", "spaceinvaders")
WITHOUT_READOUT = ("majority", "pixels")
"""Subjects that have no readout, next to `supervised`."""


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--games", nargs="+", default=list(GAMES), help='names of games, or "all" for the 22 of the paper'
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--n-steps", type=int, default=10_000, help="probed steps; AtariARI uses 50000")
    parser.add_argument(
        "--encoders",
        nargs="+",
        default=["majority", "pixels", "random-cnn"],
        help="names of encoders, or NAME=FOLDER",
    )
    parser.add_argument("--train", nargs="+", default=[], help="methods, such as st-dim gaussian-prior")
    parser.add_argument("--train-updates", type=int, default=5000, help="updates of each training")
    parser.add_argument(
        "--train-steps", type=int, help="steps in the training frames; default twice --n-steps, as AtariARI"
    )
    parser.add_argument(
        "--readouts", nargs="+", default=["default"], help='readouts, such as default mean "grid(4)"'
    )
    parser.add_argument("--epochs", type=int, default=100, help="maximum epochs of the probes")
    parser.add_argument(
        "--supervised-epochs", type=int, default=100, help="maximum epochs of the supervised control"
    )
    parser.add_argument("--repeats", action="store_true", help="keep test frames that also occur in training")
    parser.add_argument(
        "--sampling",
        choices=get_args(Sampling),
        default="random",
        help="weight of frames: all equal, or all episodes equal, as in the code of AtariARI",
    )
    parser.add_argument("--color", action="store_true", help="frames in color")
    parser.add_argument("--device", default="cpu", help="device of encoders and probes")
    parser.add_argument("--n-workers", type=int, default=1, help="number of games and seeds at a time")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "probing", help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the scores")
    parser.add_argument("--keep-frames", action="store_true", help="keep the frames of finished cells")
    parser.add_argument(
        "--quick", action="store_true", help="a test of all parts in about a minute; writes no csv"
    )
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_rows(args.results), PAGE)
        return
    other_settings = [
        f"--{name}"
        for name in ("repeats", "color", "epochs", "sampling")
        if getattr(args, name) != parser.get_default(name)
    ]
    if other_settings and args.results == RESULTS and not args.quick:
        parser.error(
            f"scores with {' '.join(other_settings)} are not comparable with those in {RESULTS.name}: pass "
            "another --results, and --runs"
        )
    if args.quick:
        args.n_steps, args.epochs, args.supervised_epochs = min(args.n_steps, 600), 2, 1
        args.runs = args.runs.with_name(f"{args.runs.name}-quick")
    games = list(PAPER_GAMES) if args.games == ["all"] else [game_name(game) for game in args.games]
    pairs = [entry.partition("=") for entry in args.encoders]
    supervised = f"supervised ({args.supervised_epochs} epochs)"
    sources = {supervised if name == "supervised" else name: source or name for name, _, source in pairs}
    for method in args.train:
        find_recipe(method, {})  # a wrong name is an error now and not after minutes
    training = Training(args.train_updates, args.train_steps or 2 * args.n_steps)
    methods = {training.title(method): method for method in args.train}
    cells = [
        (name, readout)
        for name in (*sources, *methods)
        for readout in ([""] if name in (*WITHOUT_READOUT, supervised) else args.readouts)
    ]
    recorded = {
        (row["game"], row["encoder"], row["readout"], row["seed"], row["n_steps"])
        for row in ([] if args.quick else read_rows(args.results))
    }
    jobs = [
        ProbeJob(
            game=game,
            seed=seed,
            n_steps=args.n_steps,
            cells=tuple(c for c in cells if (game, *c, str(seed), str(args.n_steps)) not in recorded),
            sources=sources,
            methods=methods,
            training=training,
            folder=args.runs / game / f"seed{seed}",
            probe_settings=ProbeSettings(epochs=args.epochs, sampling=args.sampling),
            supervised_settings=ProbeSettings(epochs=args.supervised_epochs, sampling=args.sampling),
            min_frames=20 if args.quick else 65,
            repeats=args.repeats,
            color=args.color,
            device=args.device,
            keep_frames=args.keep_frames,
        )
        for seed in args.seeds
        for game in games
    ]
    os.environ["OMP_NUM_THREADS"] = "1"  # games run at the same time instead
    with WorkerPool(args.n_workers) as pool:
        for future in [pool.submit(run_job, job) for job in jobs]:
            future.result()
            if not args.quick:
                add_rows(jobs, args.results)


if __name__ == "__main__":
    main()
