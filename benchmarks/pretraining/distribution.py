"""Effect of the pretraining distribution: splits x labels x modes x seeds, on two targets.

    python -m benchmarks.pretraining.distribution --targets halfcheetah pong --seeds 0 1 2 --n-workers 2
    python -m benchmarks.pretraining.distribution --report

Each target and seed is a run of `rlpriors study` in `runs/study/`.  Its finished cells are skipped when the
command runs again, so it may be stopped at any time.  Rows go to `results/pretraining_distribution.csv`
(target, split, labels, mode, seed, distance_frechet, distance_recon, distance_auc, miou).  `--report` draws
the figures and rewrites the tables of `docs/results/pretraining_distribution.md`: distances, mIoU with 95 %
bootstrap intervals over seeds, the rank correlation of each distance with mIoU, paired differences to no
pretraining and to the mix, and a comparison of the target's own frames with no pretraining.

An encoder, method or amount of data other than the defaults needs another `--runs` and `--results`.
`--report` prints the tables of such a csv and does not write the page.  More, smaller updates, of two splits
(the page has their table, too):

    python -m benchmarks.pretraining.distribution --splits target none --updates 1600 --batch-size 64 \
        --runs runs/study-longer --results benchmarks/results/pretraining_distribution_longer.csv

Settings were chosen on seeds from 100 on, which are refused here unless `--development` is given.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.pretraining.distribution_report import report, report_longer
from benchmarks.tables import make_parser
from rlpriors.scripts.study.report import read_rows, write_rows
from rlpriors.scripts.study.run import study
from rlpriors.scripts.study.settings import StudySettings
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "pretraining_distribution.csv"
LONGER_RESULTS = RESULTS.with_name("pretraining_distribution_longer.csv")
DOCS = ROOT / "docs"
STUDY_OPTIONS = (
    *(
        "method",
        "data",
        "encoder",
        "n_frames",
        "updates",
        "batch_size",
        "image_size",
        "splits",
        "foreign_fraction",
    ),
)
"""Options that change the results, so that rows with other values are not comparable."""


def run_study(settings: StudySettings, folder: Path) -> Path:
    """Run or resume the study of one target and seed, and return its csv."""
    torch.set_num_threads(1)
    runs = (folder, *folder.parent.glob(f"{folder.name}-*"))
    resume = any((run / "settings.json").exists() for run in runs)
    return study(settings, folder=folder, resume=resume) / "study.csv"


def study_settings(args: argparse.Namespace, target: str, seed: int) -> StudySettings:
    """Return the settings of one target and seed."""
    settings = StudySettings(
        method=args.method,
        data=args.data,
        target=target,
        encoder=args.encoder,
        splits=tuple(args.splits),
        n_frames=args.n_frames,
        foreign_fraction=args.foreign_fraction,
        updates=args.updates,
        batch_size=args.batch_size,
        image_size=args.image_size,
        seed=seed,
        device=args.device,
    )
    if args.quick:
        settings = replace(
            settings,
            n_frames=64,
            updates=2,
            batch_size=16,
            labels=(2, 4),
            segmentation_updates=2,
            n_test_frames=8,
        )
    return settings


def run_studies(studies: list[StudySettings], runs: Path, n_workers: int, results: Path | None) -> None:
    """Run all studies, and add the rows of each to `results` when it is done."""
    with WorkerPool(n_workers) as pool:
        futures = [
            pool.submit(run_study, settings, runs / f"{settings.target_name}-seed{settings.seed}")
            for settings in studies
        ]
        for future in futures:
            path = future.result()
            if results is None:
                continue
            rows = {row[:5]: row for row in (*read_rows(results), *read_rows(path))}
            write_rows(results, list(rows.values()))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--targets", nargs="+", default=["halfcheetah", "pong"], help="targets of the study")
    parser.add_argument(
        "--data",
        default="environments",
        help="source of the images: environments, or coco:<folder> with --targets pet:<folder>",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--method", default="mae", help="pretraining method")
    parser.add_argument("--encoder", default="vit-nano", help="encoder; vit-micro or vit-tiny on a GPU")
    parser.add_argument("--n-frames", type=int, default=4000, help="number of images in each split")
    parser.add_argument("--updates", type=int, default=160, help="number of pretraining updates")
    parser.add_argument("--batch-size", type=int, default=256, help="number of images in an update")
    parser.add_argument("--image-size", type=int, default=64, help="height and width of all images")
    parser.add_argument("--splits", nargs="+", default=(), help="splits; default all, with the controls")
    parser.add_argument(
        "--foreign-fraction", type=float, default=0.0, help="fraction of images from the farthest split"
    )
    parser.add_argument("--device", default="cpu", help="device of the training")
    parser.add_argument("--n-workers", type=int, default=1, help="number of targets and seeds at a time")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "study", help="folder of the runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the results")
    parser.add_argument(
        "--quick", action="store_true", help="a test of all parts in about a minute; writes no csv"
    )
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    is_default_file = args.results.resolve() == RESULTS.resolve()
    if args.report:
        if not args.results.exists():
            parser.error(f"there are no results at {args.results}: run without --report first")
        report(read_rows(args.results), DOCS if is_default_file else None)
        if is_default_file:
            report_longer(read_rows(LONGER_RESULTS), DOCS)
        return
    changed = [name for name in STUDY_OPTIONS if getattr(args, name) != parser.get_default(name)]
    if changed and is_default_file and not (args.quick or args.development):
        parser.error(
            f"rows with another {', '.join(changed)} are not comparable with those in {RESULTS.name}: pass "
            "--results and --runs"
        )
    if max(args.seeds) >= 100 and not args.development:
        parser.error("settings were chosen on seeds from 100 on; add --development to run them")
    if args.quick:
        args.runs = args.runs.with_name(f"{args.runs.name}-quick")
    os.environ["OMP_NUM_THREADS"] = "1"  # targets and seeds run at the same time instead
    try:
        studies = [study_settings(args, target, seed) for seed in args.seeds for target in args.targets]
        results = None if args.quick or args.development else args.results
        run_studies(studies, args.runs, args.n_workers, results)
    except (ValueError, OSError) as error:  # errors that the user can correct
        parser.error(str(error))


if __name__ == "__main__":
    main()
