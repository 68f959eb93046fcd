"""What was found of all that were probed, for people and for programs.

`Subject`          what was found of one of them
`game_table`, `state_table`, `more_table`   for people
`rows_of`          every number, a row for each thing that was asked for
`write_rows`       these as csv and on TensorBoard
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Column, Table
from torch.utils.tensorboard import SummaryWriter

from rlpriors.checkpoint import write_atomically
from rlpriors.envs.atari.ram_annotations import CATEGORIES
from rlpriors.evaluation.probing.metrics import Scores
from rlpriors.scripts.probe.baselines import Judged
from rlpriors.scripts.probe.behavior import Numbers

__all__ = ["Subject", "game_table", "more_table", "rows_of", "state_table", "write_rows"]

COLUMNS = ("world", "subject", "protocol", "seed", "of")
METRICS = (*Scores._fields, "r2", "rankme", "feature_std")
STATES = ("qpos", "qvel")
HEADINGS: dict[str, str] = dict(
    zip(CATEGORIES, ("small object", "agent", "other", "score, clock", "misc"), strict=True)
)
WORDS = {
    "f1_weighted": "F1 (weighted)",
    "f1_macro": "macro F1",
    "accuracy": "accuracy",
    "r2": "R2",
    "rankme": "RankMe",
    "feature_std": "standard deviation",
}


class Subject(NamedTuple):
    """What was found of one that was probed."""

    judged: Judged
    """Scores of a game's variables; empty where no game was asked for."""
    numbers: Numbers
    """All others, by "<protocol>/<of what>/<metric>"."""


def game_table(world: str, subjects: Mapping[str, Subject], protocol: str) -> Table:
    """Weighted F1 by category, and the means, of every subject by one protocol; 80 columns wide."""
    every = [scores for subject in subjects.values() for scores in subject.judged.values()]
    used = [category for category in CATEGORIES if any(category in scores.categories for scores in every)]
    table = Table(
        Column("subject", overflow="fold"),
        title=f"{world}, {protocol}: F1 (weighted) by category, and the means over them",
    )
    for heading in (*(HEADINGS[c] for c in used), "F1", "macro F1", "accu- racy"):
        table.add_column(heading, justify="right", min_width=4)
    for name, subject in subjects.items():
        scores = subject.judged[protocol]
        cells = [scores.categories[c].f1_weighted if c in scores.categories else None for c in used]
        table.add_row(name, *map(_cell, (*cells, *scores.mean)))
    return table


def state_table(world: str, subjects: Mapping[str, Subject]) -> Table:
    """R2 of every position and velocity, and their means."""
    found = {
        name: {key.split("/")[1]: n for key, n in subject.numbers.items() if _is_state(key)}
        for name, subject in subjects.items()
    }
    found = {name: scores for name, scores in found.items() if scores}
    table = Table("target", title=f"{world}: R2 of positions and velocities by ridge regression")
    for name in found:
        table.add_column(name, justify="right")
    targets = next(iter(found.values()))
    for target in targets:
        table.add_row(target, *(_cell(scores[target]) for scores in found.values()))
    table.add_section()
    for kind in STATES:
        own = [target for target in targets if target.startswith(kind)]
        if own:
            means = [float(np.nanmean([scores[target] for target in own])) for scores in found.values()]
            table.add_row(f"mean {kind}", *map(_cell, means))
    return table


def more_table(world: str, subjects: Mapping[str, Subject]) -> Table:
    """Actions, rewards, nearest neighbors, RankMe and spread of every subject."""
    table = Table("of", "what", title=f"{world}: actions, rewards and features")
    for name in subjects:
        table.add_column(name, justify="right")
    keys = dict.fromkeys(
        key for subject in subjects.values() for key in subject.numbers if not _is_state(key)
    )
    for key in sorted(keys, key=lambda key: key.split("/")[1] == "features"):
        protocol, of, metric = key.split("/")
        how = "" if protocol == "collapse" else f", {protocol}"
        cells = [_cell(subject.numbers.get(key)) for subject in subjects.values()]
        table.add_row("sign of reward" if of == "reward" else of, f"{WORDS[metric]}{how}", *cells)
    return table


def rows_of(world: str, subjects: Mapping[str, Subject], seed: int) -> list[dict[str, Any]]:
    """Every number of every subject."""
    rows = []
    for name, subject in subjects.items():
        found: dict[tuple[str, str], dict[str, float]] = {}
        for protocol, scores in subject.judged.items():
            for of, score in {"mean": scores.mean, **scores.categories, **scores.variables}.items():
                found[protocol, of] = score._asdict()
        for key, number in subject.numbers.items():
            protocol, of, metric = key.split("/")
            found.setdefault((protocol, of), {})[metric] = number
        for (protocol, of), numbers in found.items():
            rounded = {metric: round(number, 4) for metric, number in numbers.items()}
            own = dict(zip(COLUMNS, (world, name, protocol, seed, of), strict=True))
            rows.append(own | rounded)
    return rows


def write_rows(run: Path, rows: list[dict[str, Any]]) -> None:
    """Into the run's `probe.csv`, and beside its other scalars."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, (*COLUMNS, *METRICS), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(run / "probe.csv", write)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for row in rows:
            for metric in METRICS:
                if metric in row:
                    tag = f"{row['protocol']}/{row['of']}/{metric}/{row['subject']}"
                    writer.add_scalar(tag, row[metric], row["seed"])


def _is_state(key: str) -> bool:
    return key.split("/")[1].startswith(STATES)


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"
