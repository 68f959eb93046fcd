"""Tables and figures of `benchmarks.pretraining.distribution`, from the csv alone.

`report`        tables and figures of each target, printed and written to the documentation
`longer_table`  comparison of a longer training on the target's own frames with no pretraining
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import Interval, bootstrap_interval
from rlpriors.scripts.study.report import (
    DISTANCES,
    Row,
    correlation,
    draw_figure,
    miou_difference,
    ordered_splits,
    permutation_p_value,
)

__all__ = ["longer_table", "report", "report_longer"]

PAGE = Path("results") / "pretraining_distribution.md"
"""Path of the page below the folder of the documentation."""
TITLES = {"halfcheetah": "HalfCheetah", "pong": "Pong"}


def report(rows: Sequence[Row], docs: Path | None) -> None:
    """Print all tables, and write them and the figures to the folder `docs` unless it is None."""
    for target in sorted({row.target for row in rows}):
        some = [row for row in rows if row.target == target]
        image = f"pretraining-distribution-{target}.png"
        tables = {
            "comparison": f"{compare_target(some)}\n\n![mIoU against Fréchet distance](../images/{image})",
            "distances": distances(some),
            "mIoU": by_split(some, score),
            "rank correlation": correlations(some),
            "difference to none": by_split(some, difference("none")),
            "difference to mix": by_split(some, difference("mix")),
        }
        for name, table in tables.items():
            print(f"\n## {target}, {name} (seeds {seeds(some)})\n\n{table}")
            if docs is not None:
                replace_section(docs / PAGE, f"{target}, {name}", table)
        if docs is not None and f"<!-- {target}, comparison -->" in (docs / PAGE).read_text():
            draw_figure(some, docs / "images" / image)


def report_longer(rows: Sequence[Row], docs: Path | None) -> None:
    """Print the table of a longer training, and write it to the page unless `docs` is None."""
    table = longer_table(rows)
    print(f"\n## longer\n\n{table}")
    if docs is not None:
        replace_section(docs / PAGE, "longer", table)


def panels(rows: Sequence[Row]) -> list[tuple[tuple[str, int], list[Row]]]:
    """Return the rows by mode and number of labels."""
    keys = sorted({(row.mode, row.labels) for row in rows}, key=lambda key: (key[0] == "full", key[1]))
    return [(key, [row for row in rows if (row.mode, row.labels) == key]) for key in keys]


def header(rows: Sequence[Row], first: str) -> list[str]:
    """Return the header of a table with a column for each mode and number of labels."""
    return [first, *(f"{mode}, {labels} labels" for (mode, labels), _ in panels(rows))]


def by_split(rows: Sequence[Row], cell: Callable[[list[Row], str], str]) -> str:
    """Return a table with a line for each split and a column for each mode and number of labels."""
    lines = [[split, *(cell(panel, split) for _, panel in panels(rows))] for split in ordered_splits(rows)]
    return markdown([header(rows, "split"), *lines])


def longer_table(rows: Sequence[Row]) -> str:
    """Return mIoU of the splits "target" and "none" and their difference, for each target."""
    lines = [header(rows, "target, split")]
    for target in sorted({row.target for row in rows}):
        some = [row for row in rows if row.target == target]
        parts = {"target": _score_of("target"), "none": _score_of("none"), "difference": _target_to_none}
        title = TITLES.get(target, target)
        lines += [[f"{title}, {name}", *(f(panel) for _, panel in panels(some))] for name, f in parts.items()]
    return markdown(lines)


def _score_of(split: str) -> Callable[[list[Row]], str]:
    return lambda panel: score(panel, split)


def _target_to_none(panel: list[Row]) -> str:
    return difference("none")(panel, "target")


def seeds(panel: list[Row], split: str | None = None) -> list[int]:
    """Return the seeds of a panel, or of one of its splits."""
    return sorted({row.seed for row in panel if split in (None, row.split)})


def over_seeds(panel: list[Row], split: str, column: str = "miou") -> Interval | None:
    """Return mean and interval of a split; None with fewer than two seeds or without values."""
    values = np.array([getattr(row, column) for row in panel if row.split == split], np.float64)
    if len(values) < 2 or np.isnan(values).any():  # a split without pretraining data has no distance
        return None
    return bootstrap_interval(values, np.random.default_rng(0), "mean")


def score(panel: list[Row], split: str, column: str = "miou") -> str:
    """Return the cell of a split: mean and interval, and its seeds if it lacks some."""
    interval, split_seeds = over_seeds(panel, split, column), seeds(panel, split)
    fewer = "" if split_seeds == seeds(panel) else f" (seeds {', '.join(map(str, split_seeds))})"
    if interval is not None:
        return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]{fewer}"
    values = [getattr(row, column) for row in panel if row.split == split]
    return f"{values[0]:.3f}{fewer}" if values and values[0] is not None else ""


def difference(other: str) -> Callable[[list[Row], str], str]:
    """Return a function that returns the cell of a split's paired difference to the split `other`."""

    def cell(panel: list[Row], split: str) -> str:
        interval = None if split == other else miou_difference(panel, split, other, np.random.default_rng(0))
        if interval is None:
            return ""
        return f"{interval.estimate:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"

    return cell


def distances(rows: Sequence[Row]) -> str:
    """Return a table of the distances of each split from the target."""
    _, panel = panels(rows)[0]  # distances do not depend on mode and number of labels
    splits = [split for split in ordered_splits(panel) if score(panel, split, DISTANCES[0])]
    lines = [["split", *(distance.removeprefix("distance_") for distance in DISTANCES)]]
    lines += [[split, *(score(panel, split, distance) for distance in DISTANCES)] for split in splits]
    return markdown(lines)


def compare_target(rows: Sequence[Row]) -> str:
    """Return a sentence on pretraining with the target's own frames against no pretraining."""
    results: dict[str, list[str]] = {"higher": [], "lower": [], "overlapping": []}
    for (mode, labels), panel in panels(rows):
        target, none = over_seeds(panel, "target"), over_seeds(panel, "none")
        if target is not None and none is not None:
            above, below = target.low > none.high, target.high < none.low
            key = "higher" if above else "lower" if below else "overlapping"
            results[key].append(f"{mode} with {labels} labels")
    if not any(results.values()):
        return "No comparison: it needs at least two seeds."
    text = "; ".join(f"{key}: {', '.join(cells) or 'none'}" for key, cells in results.items())
    return f"Intervals of mIoU with pretraining on the target's own frames, against no pretraining: {text}."


def correlations(rows: Sequence[Row]) -> str:
    """Return Spearman's correlation of each distance with mIoU, with its p-value by permutation."""
    lines = [header(rows, "distance")]
    for distance in DISTANCES:
        cells = []
        for _, panel in panels(rows):
            try:
                interval = correlation(panel, distance, np.random.default_rng(0))
                cells.append(f"{interval}, p {permutation_p_value(panel, distance):.2f}")
            except ValueError:  # too few seeds or splits
                cells.append("")
        lines.append([distance.removeprefix("distance_"), *cells])
    return markdown(lines)
