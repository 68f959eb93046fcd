"""Does pretraining on data closer to the target help?  Splits x labels x modes x seeds, on two targets.

    python -m benchmarks.pretraining_distribution --targets halfcheetah pong --seeds 0 1 2 --workers 2
    python -m benchmarks.pretraining_distribution --report

Each target and seed is a run of `rlpriors study` in `runs/study/`; its cells are skipped when the command
runs again, so it may be stopped at any time.  Rows go to `results/pretraining_distribution.csv` (target,
split, labels, mode, seed, distance_frechet, distance_recon, distance_auc, miou).  `--report` draws the
figures and rewrites the tables of `docs/pretraining_distribution.md`: distances, mIoU with 95 % bootstrap
intervals over seeds, the rank correlation of each distance with it, paired differences to no pretraining
and to the mix, and whether learning from the target itself is better than not learning.

Another encoder, method or amount than the defaults needs another `--runs` and `--results`, of which
`--report` prints the tables and leaves the page as it is.  More, smaller updates, of two splits:

    python -m benchmarks.pretraining_distribution --splits target none --updates 1600 --batch-size 64 \
        --runs runs/study-longer --results benchmarks/results/pretraining_distribution_longer.csv

Settings were chosen on seeds from 100 on, which are refused here unless `--development` is given.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.tables import markdown, replace
from benchmarks.workers import processes
from rlpriors.evaluation.intervals import Interval, bootstrap_interval
from rlpriors.scripts.study.report import (
    DISTANCES,
    Row,
    chance,
    correlation,
    differences,
    figure,
    in_order,
    read_rows,
    write_rows,
)
from rlpriors.scripts.study.run import study
from rlpriors.scripts.study.settings import StudySettings

RESULTS = Path(__file__).parent / "results" / "pretraining_distribution.csv"
DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "pretraining_distribution.md"
QUICK = {
    "frames": 64,
    "updates": 2,
    "batch_size": 16,
    "labels": (2, 4),
    "segmentation_updates": 2,
    "test_frames": 8,
}


def run(settings: StudySettings, folder: Path) -> Path:
    """One target and seed."""
    torch.set_num_threads(1)
    begun = any((run / "settings.json").exists() for run in (folder, *folder.parent.glob(f"{folder.name}-*")))
    return study(settings, folder=folder, resume=begun) / "study.csv"


def panels(rows: Sequence[Row]) -> list[tuple[tuple[str, int], list[Row]]]:
    """Rows by mode and number of labels."""
    keys = sorted({(row.mode, row.labels) for row in rows}, key=lambda key: (key[0] == "full", key[1]))
    return [(key, [row for row in rows if (row.mode, row.labels) == key]) for key in keys]


def by_split(rows: Sequence[Row], cell: Callable[[list[Row], str], str]) -> str:
    """A line for each split, a column for each mode and number of labels."""
    found = panels(rows)
    head = ["split", *(f"{mode}, {labels} labels" for (mode, labels), _ in found)]
    return markdown(
        [head, *([split, *(cell(panel, split) for _, panel in found)] for split in in_order(rows))]
    )


def seeds(panel: list[Row], split: str | None = None) -> list[int]:
    return sorted({row.seed for row in panel if split in (None, row.split)})


def over_seeds(panel: list[Row], split: str, column: str = "miou") -> Interval | None:
    """Mean and interval of a split; None with fewer than two seeds."""
    values = np.array([getattr(row, column) for row in panel if row.split == split], np.float64)
    if len(values) < 2 or np.isnan(values).any():  # what was not learned from has no distance
        return None
    return bootstrap_interval(values, np.random.default_rng(0), "mean")


def score(panel: list[Row], split: str, column: str = "miou") -> str:
    found, own = over_seeds(panel, split, column), seeds(panel, split)
    fewer = "" if own == seeds(panel) else f" (seeds {', '.join(map(str, own))})"
    if found is not None:
        return f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]{fewer}"
    values = [getattr(row, column) for row in panel if row.split == split]
    return f"{values[0]:.3f}{fewer}" if values and values[0] is not None else ""


def difference(other: str) -> Callable[[list[Row], str], str]:
    def cell(panel: list[Row], split: str) -> str:
        found = None if split == other else differences(panel, split, other, np.random.default_rng(0))
        return "" if found is None else f"{found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"

    return cell


def distances(rows: Sequence[Row]) -> str:
    """How far each split lies from the target."""
    _, panel = panels(rows)[0]  # they are the same whatever is learned from labels
    splits = [split for split in in_order(panel) if score(panel, split, DISTANCES[0])]
    lines = [["split", *(distance.removeprefix("distance_") for distance in DISTANCES)]]
    lines += [[split, *(score(panel, split, distance) for distance in DISTANCES)] for split in splits]
    return markdown(lines)


def in_words(rows: Sequence[Row]) -> str:
    """Where learning from the target's own frames is better than not learning, where worse."""
    found: dict[str, list[str]] = {"better": [], "worse": [], "neither": []}
    for (mode, labels), panel in panels(rows):
        own, none = over_seeds(panel, "target"), over_seeds(panel, "none")
        if own is not None and none is not None:
            side = "better" if own.low > none.high else "worse" if own.high < none.low else "neither"
            found[side].append(f"{mode} with {labels} labels")
    if not any(found.values()):
        return "Fewer than two seeds: nothing can be told yet."
    told = "; ".join(f"{side}: {', '.join(cells) or 'nowhere'}" for side, cells in found.items())
    return f"Learning from the target's own frames, against no pretraining, by intervals apart is {told}."


def correlations(rows: Sequence[Row]) -> str:
    """Spearman's correlation of each distance with mIoU, and how often chance gives one as strong."""
    found = panels(rows)
    lines = [["distance", *(f"{mode}, {labels} labels" for (mode, labels), _ in found)]]
    for distance in DISTANCES:
        cells = []
        for _, panel in found:
            try:
                over = correlation(panel, distance, np.random.default_rng(0))
                cells.append(f"{over}, p {chance(panel, distance):.2f}")
            except ValueError:  # too few seeds yet, or splits
                cells.append("")
        lines.append([distance.removeprefix("distance_"), *cells])
    return markdown(lines)


def report(rows: Sequence[Row], *, write: bool = True) -> None:
    """Print everything, and write it to the page."""
    for target in sorted({row.target for row in rows}):
        own = [row for row in rows if row.target == target]
        picture = f"pretraining-distribution-{target}.png"
        tables = {
            "in words": f"{in_words(own)}\n\n![mIoU against the Fréchet distance](images/{picture})",
            "distances": distances(own),
            "mIoU": by_split(own, score),
            "rank correlation": correlations(own),
            "to none": by_split(own, difference("none")),
            "to mix": by_split(own, difference("mix")),
        }
        for name, table in tables.items():
            print(f"\n## {target}, {name} (seeds {seeds(own)})\n\n{table}")
            if write:
                replace(PAGE, f"{target}, {name}", table)
        if write and f"<!-- {target}, in words -->" in PAGE.read_text():
            figure(own, DOCS / "images" / picture)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", default=["halfcheetah", "pong"])
    parser.add_argument(
        "--data", default="environments", help="or coco:<folder>, with --targets pet:<folder>"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--method", default="mae")
    parser.add_argument("--encoder", default="vit-nano", help="vit-micro or vit-tiny on a GPU")
    parser.add_argument("--frames", type=int, default=4000, help="in each split")
    parser.add_argument("--updates", type=int, default=160, help="of the pretraining")
    parser.add_argument("--batch-size", type=int, default=256, help="images in each of these")
    parser.add_argument("--size", type=int, default=64, help="rows and columns of every image")
    parser.add_argument("--splits", nargs="+", default=(), help="by default all, with the controls")
    parser.add_argument("--noise", type=float, default=0.0, help="part of the frames that is foreign")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="targets and seeds that run side by side")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "study", help="where cells are kept")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="a minute, to see that all runs; no csv")
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="no runs: tables and figures from the csv")
    args = parser.parse_args()
    args.splits = tuple(args.splits)
    chosen = {
        name: getattr(args, name)
        for name in (
            "method",
            "data",
            "encoder",
            "frames",
            "updates",
            "batch_size",
            "size",
            "splits",
            "noise",
            "device",
        )
    }
    own = args.results.resolve() == RESULTS.resolve()
    if args.report:
        if not args.results.exists():
            parser.error(f"there are no results at {args.results}: run without --report first")
        report(read_rows(args.results), write=own)
        return
    others = [
        name for name, value in chosen.items() if value != parser.get_default(name) and name != "device"
    ]
    if others and own and not (args.quick or args.development):
        parser.error(
            f"rows with other {', '.join(others)} cannot stand beside others: give --results and --runs"
        )
    if max(args.seeds) >= 100 and not args.development:
        parser.error("seeds from 100 on are those that settings were chosen on; add --development")
    if args.quick:
        args.runs = args.runs.with_name(f"{args.runs.name}-quick")
    os.environ["OMP_NUM_THREADS"] = "1"  # targets and seeds run side by side instead
    try:
        jobs = [
            StudySettings(**{**chosen, **(QUICK if args.quick else {})}, target=target, seed=seed)
            for seed in args.seeds
            for target in args.targets
        ]
        run_all(jobs, args.runs, args.workers, None if args.quick or args.development else args.results)
    except (ValueError, OSError) as error:  # something that the user can put right
        parser.error(str(error))


def run_all(jobs: list[StudySettings], runs: Path, workers: int, results: Path | None) -> None:
    """All `jobs`; their rows go to `results` as each is done."""
    with processes(workers) as pool:
        futures = [pool.submit(run, job, runs / f"{job.target_name}-seed{job.seed}") for job in jobs]
        for future in futures:
            path = future.result()
            if results is None:
                continue
            rows = {row[:5]: row for row in (*read_rows(results), *read_rows(path))}
            write_rows(results, list(rows.values()))


if __name__ == "__main__":
    main()
