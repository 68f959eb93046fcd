"""What a study found: rows of its csv, and what they say together.

`Row`               one cell
`read_rows`, `write_rows`   the csv
`in_order`          splits, the farthest first
`study_table`       mIoU by split, labels and mode, for people
`correlation`       of distance with mIoU, with a bootstrap interval
`chance`            how often as strong a correlation would be found where distance meant nothing
`differences`       of a split's mIoU to another's on the same seeds
`figure`            mIoU against distance
"""

import csv
from collections.abc import Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from rich.table import Table

from rlpriors.checkpoint import write_atomically
from rlpriors.data.photos.coco import SPLITS as COCO_SPLITS
from rlpriors.evaluation.intervals import Interval, bootstrap_interval, paired_difference
from rlpriors.evaluation.rewards.epic import spearman
from rlpriors.scripts.study.settings import CONTROLS, SPLITS

__all__ = [
    "DISTANCES",
    "Row",
    "chance",
    "correlation",
    "differences",
    "figure",
    "in_order",
    "read_rows",
    "study_table",
    "write_rows",
]

DISTANCES = ("distance_frechet", "distance_recon", "distance_auc")


class Row(NamedTuple):
    """One cell; distances are None where nothing was learned beforehand."""

    target: str
    split: str
    labels: int
    mode: str
    seed: int
    distance_frechet: float | None
    distance_recon: float | None
    distance_auc: float | None
    miou: float


def read_rows(path: Path) -> list[Row]:
    """The rows of a csv; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Row(
                target=row["target"],
                split=row["split"],
                labels=int(row["labels"]),
                mode=row["mode"],
                seed=int(row["seed"]),
                miou=float(row["miou"]),
                **{name: float(row[name]) if row[name] else None for name in DISTANCES},
            )
            for row in csv.DictReader(file)
        ]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """All rows; the file appears when it is whole."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            for row in sorted(rows, key=lambda row: row[:5]):
                writer.writerow(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in row])

    write_atomically(path, write)


def in_order(rows: Sequence[Row]) -> list[str]:
    """The splits of `rows`, as they are told: the farthest first, controls last."""
    found = {row.split for row in rows}
    known = (*SPLITS, *COCO_SPLITS, *CONTROLS)
    return [split for split in known if split in found] + sorted(found - set(known))


def study_table(rows: Sequence[Row]) -> Table:
    """Mean mIoU over seeds: a line for each split, a column for each number of labels and mode."""
    columns = sorted({(row.mode, row.labels) for row in rows}, key=lambda pair: (pair[0] == "full", pair[1]))
    table = Table("split", title="mIoU on the target")
    for mode, labels in columns:
        table.add_column(f"{mode}, {labels}", justify="right")
    for split in in_order(rows):
        found = [
            [row.miou for row in rows if (row.split, row.mode, row.labels) == (split, *column)]
            for column in columns
        ]
        table.add_row(split, *(f"{np.mean(values):.3f}" if values else "" for values in found))
    return table


def correlation(
    rows: Sequence[Row], distance: str, rng: np.random.Generator, n_resamples: int = 2000
) -> Interval:
    """Spearman's correlation of a distance with mIoU over splits, the mean over seeds; interval by seeds.

    -1 where a closer split is always the better one.  `rows` are of one target, mode and number of
    labels.  Splits that were not learned from have no distance, and are left out.

    Raises:
        ValueError: fewer than two seeds with three splits each.
    """
    found = [spearman(*some.T) for some in _by_seed(rows, distance)]
    return bootstrap_interval(np.array(found), rng, "mean", n_resamples=n_resamples)


def chance(rows: Sequence[Row], distance: str) -> float:
    """The part of all orders of the splits in which they correlate at least as strongly, either way.

    An exact permutation test of `correlation`, of which the splits and not the seeds are drawn anew: an
    order is the same for all seeds.  With five splits it is never below 2 of 120.

    Raises:
        ValueError: see `correlation`; or seeds have unlike splits.
    """
    pairs = _by_seed(rows, distance)
    counts = {len(some) for some in pairs}
    if len(counts) > 1:
        raise ValueError(
            f"`rows` must have the same splits of every seed. Received {sorted(counts)} of them."
        )
    orders = [list(order) for order in permutations(range(counts.pop()))]
    means = np.array([np.mean([spearman(one[order, 0], one[:, 1]) for one in pairs]) for order in orders])
    return float(np.mean(np.abs(means) >= abs(means[0]) - 1e-9))  # the first is the order that was found


def _by_seed(rows: Sequence[Row], distance: str) -> list[Float[np.ndarray, "splits 2"]]:
    """Distances and mIoU of the splits of each seed, in the order of their names."""
    by_seed: dict[int, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row.split):
        apart = getattr(row, distance)
        if apart is not None and row.split != "shuffled":  # a control: far from everything
            by_seed.setdefault(row.seed, []).append((apart, row.miou))
    pairs = [np.array(some) for some in by_seed.values() if len(some) >= 3]
    # Where every split lies as far, as where a classifier tells each from the target, no order is told.
    found = [some for some in pairs if np.ptp(some, 0).all()]
    if len(found) < 2:
        raise ValueError(
            f"`rows` must have two seeds with three splits each. Received {len(found)} such seeds."
        )
    return found


def differences(rows: Sequence[Row], split: str, other: str, rng: np.random.Generator) -> Interval | None:
    """mIoU of `split` less that of `other` on the same seeds; None with fewer than two of these.

    `rows` are of one target, mode and number of labels.
    """
    one, two = ({row.seed: row.miou for row in rows if row.split == name} for name in (split, other))
    seeds = sorted(one.keys() & two.keys())
    if len(seeds) < 2:
        return None
    a, b = (np.array([side[seed] for seed in seeds]) for side in (one, two))
    return paired_difference(a, b, rng)


def figure(rows: Sequence[Row], path: Path, distance: str = "distance_frechet") -> None:
    """mIoU against distance: a panel for each number of labels, a color for each mode, a mark per split."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    labels = sorted({row.labels for row in rows})
    drawing, axes = plt.subplots(1, len(labels), figsize=(3.6 * len(labels), 3.2), squeeze=False)
    for axis, n in zip(axes[0], labels, strict=True):
        for color, mode in enumerate(sorted({row.mode for row in rows})):
            chosen = [row for row in rows if row.labels == n and row.mode == mode]
            for split in dict.fromkeys(row.split for row in chosen):
                found = [row for row in chosen if row.split == split and getattr(row, distance) is not None]
                if not found:
                    continue
                apart = float(np.mean([getattr(row, distance) for row in found]))
                scores = np.array([row.miou for row in found])
                axis.errorbar(
                    apart, scores.mean(), _bars(scores), fmt="o", color=f"C{color}", markersize=4, capsize=2
                )
                axis.annotate(
                    split, (apart, scores.mean()), fontsize=7, xytext=(3, 3), textcoords="offset points"
                )
            none = [row.miou for row in chosen if row.split == "none"]
            if none:
                axis.axhline(np.mean(none), color=f"C{color}", linestyle=":", label=f"{mode}, no pretraining")
        axis.set(title=f"{n} labels", xlabel=distance.replace("_", " "), ylabel="mIoU")
    axes[0][0].legend(fontsize=7)
    drawing.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, partial(drawing.savefig, format="png", dpi=110))
    plt.close(drawing)


def _bars(scores: np.ndarray) -> np.ndarray:
    """Lengths of the bars below and above the mean."""
    if len(scores) < 2:
        return np.zeros((2, 1))
    found = bootstrap_interval(scores, np.random.default_rng(0), "mean")
    return np.array([[found.estimate - found.low], [found.high - found.estimate]])
