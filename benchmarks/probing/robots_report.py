"""Tables of positions and velocities of robots in features of frames.

`COLUMNS`  columns of the csv
`report`   tables of positions and velocities, printed and written to the page
`table`    table of one kind of target
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["COLUMNS", "report", "table"]

COLUMNS = ("env", "encoder", "weights", "bn", "readout", "seed", "dim", "target", "r2")


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the tables and write them between their markers on the page."""
    for target in ("positions", "velocities"):
        text = table(rows, target)
        print(f"{target}\n\n{text}\n")
        replace_section(page, target, text)


def table(rows: Sequence[Sequence[str]], target: str) -> str:
    """Return a line for each encoder and readout, the best mean over environments first."""
    scores: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for env, *subject, _, _, name, r2 in rows:
        if name == target:
            scores[tuple(subject)][env].append(float(r2))
    envs = sorted({env for by_env in scores.values() for env in by_env})
    lines = [["encoder", "weights", "readout", *(env.removesuffix("-v5") for env in envs), "mean"]]
    means = {
        subject: float(np.mean([np.mean(by_env[env]) for env in envs if env in by_env]))
        for subject, by_env in scores.items()
    }
    for subject in sorted(scores, key=lambda name: -means[name]):
        encoder, weights, bn, readout = subject
        shown = {"imagenet": "ImageNet", "none": "" if encoder == "pixels" else "random"}[weights]
        shown += ", calibrated" if bn == "calibrated" else ""
        cells = [_mean(scores[subject][env]) for env in envs]
        lines.append([encoder, shown, readout, *cells, f"{means[subject]:.2f}"])
    return markdown(lines, 3)


def _mean(values: Sequence[float]) -> str:
    """Return mean and interval over seeds."""
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else ""
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
