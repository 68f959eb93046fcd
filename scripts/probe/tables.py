"""Results of `rlpriors probe` as tables and csv.

`Subject`        scores of a probed encoder or baseline
`game_table`     F1 of a game's variables by category
`state_table`    R2 of positions and velocities
`control_table`  scores of actions and rewards, and collapse statistics
`verdict`        comparison of the encoder with the best baseline, in a sentence
`make_rows`      all scores as rows
`write_rows`     the rows as csv
`main_number`    most important score of a subject
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Column, Table

from rlpriors.envs.atari.ram_annotations import CATEGORIES
from rlpriors.evaluation.probing.baselines import ProtocolScores
from rlpriors.evaluation.probing.behavior import Numbers
from rlpriors.evaluation.probing.metrics import Scores
from rlpriors.storage.atomic import write_atomically

__all__ = [
    "Subject",
    "control_table",
    "game_table",
    "main_number",
    "make_rows",
    "state_table",
    "verdict",
    "write_rows",
]

COLUMNS = ("world", "subject", "protocol", "seed", "of")
METRICS = (*Scores._fields, "r2", "rankme", "feature_std")
STATES = ("qpos", "qvel")
MARGIN = 0.02  # difference of scores from which on they count as different
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
    """Scores of a probed encoder or baseline."""

    scores: ProtocolScores
    """Scores of a game's variables; empty without a game."""
    numbers: Numbers
    """All other scores, by "<protocol>/<target>/<metric>"."""


def game_table(source: str, subjects: Mapping[str, Subject], protocol: str) -> Table:
    """Return weighted F1 by category, and the means, of every subject by one protocol; 80 columns wide."""
    all_scores = [scores for subject in subjects.values() for scores in subject.scores.values()]
    used = [name for name in CATEGORIES if any(name in scores.categories for scores in all_scores)]
    table = Table(
        Column("subject", overflow="fold"),
        title=f"{source}, {protocol}: F1 (weighted) by category, and the means over them",
    )
    for heading in (*(HEADINGS[c] for c in used), "F1", "macro F1", "accu- racy"):
        table.add_column(heading, justify="right", min_width=4)
    for name, subject in subjects.items():
        scores = subject.scores[protocol]
        cells = [scores.categories[c].f1_weighted if c in scores.categories else None for c in used]
        table.add_row(name, *map(_cell, (*cells, *scores.mean)))
    return table


def state_table(source: str, subjects: Mapping[str, Subject]) -> Table:
    """Return R2 of every position and velocity, and their means."""
    r2 = {
        name: {key.split("/")[1]: n for key, n in subject.numbers.items() if _is_state(key)}
        for name, subject in subjects.items()
    }
    r2 = {name: scores for name, scores in r2.items() if scores}
    table = Table("target", title=f"{source}: R2 of positions and velocities by ridge regression")
    for name in r2:
        table.add_column(name, justify="right", overflow="fold")
    targets = next(iter(r2.values()))
    for target in targets:
        table.add_row(target, *(_cell(scores[target]) for scores in r2.values()))
    table.add_section()
    for kind in STATES:
        names = [target for target in targets if target.startswith(kind)]
        if names:
            means = [float(np.nanmean([scores[name] for name in names])) for scores in r2.values()]
            table.add_row(f"mean {kind}", *map(_cell, means))
    return table


def control_table(source: str, subjects: Mapping[str, Subject]) -> Table:
    """Return scores of actions and rewards, RankMe and spread of every subject."""
    title = f"{source}: actions, rewards and features"
    table = Table("target", Column("metric", overflow="fold"), title=title)
    for name in subjects:
        table.add_column(name, justify="right", overflow="fold")
    keys = dict.fromkeys(
        key for subject in subjects.values() for key in subject.numbers if not _is_state(key)
    )
    for key in sorted(keys, key=lambda key: key.split("/")[1] == "features"):
        protocol, target, metric = key.split("/")
        suffix = "" if protocol == "collapse" else f", {protocol}"
        cells = [_cell(subject.numbers.get(key)) for subject in subjects.values()]
        table.add_row("sign of reward" if target == "reward" else target, f"{WORDS[metric]}{suffix}", *cells)
    return table


def verdict(subjects: Mapping[str, Subject], encoder: str | None) -> str:
    """Return a sentence that compares the encoder with the best baseline that learned no labels of frames.

    The number is the mean F1 of a game's variables, the mean R2 of states, or else F1 of actions.  Numbers
    within 0.02 count as equal.

    Args:
        subjects: scores of the encoder and of the baselines.
        encoder: name of the encoder's scores; None if only baselines were probed.
    """
    numbers = {name: main_number(subject) for name, subject in subjects.items() if name != "supervised"}
    known = {name: found for name, found in numbers.items() if found is not None}
    baselines = {name: found for name, found in known.items() if name != encoder}
    if not baselines:
        return "Verdict: none, because no baseline has a score."
    best = max(baselines, key=lambda name: baselines[name][1])
    metric, least = baselines[best]
    if encoder is None or encoder not in known:
        return f"Verdict: the best baseline is {best}, {metric} {least:.2f}; --encoder is compared with it."
    number = known[encoder][1]
    word = "as much as" if abs(number - least) <= MARGIN else "more than" if number > least else "less than"
    values = f"{metric} {number:.2f} against {least:.2f}"
    return f"Verdict: {encoder} contains {word} the best baseline, {best}: {values}."


def main_number(subject: Subject) -> tuple[str, float] | None:
    """Return the name and value of a subject's most important score; None without scores."""
    if subject.scores:
        return "mean F1", float(np.mean([scores.mean.f1_weighted for scores in subject.scores.values()]))
    states = [number for key, number in subject.numbers.items() if _is_state(key)]
    if states:
        return "mean R2", float(np.nanmean(states))
    actions = [n for key, n in subject.numbers.items() if key.split("/")[1:] == ["action", "f1_weighted"]]
    others = [n for key, n in subject.numbers.items() if key.endswith("/f1_weighted")]
    return ("F1 of actions", max(actions)) if actions else ("best F1", max(others)) if others else None


def make_rows(source: str, subjects: Mapping[str, Subject], seed: int) -> list[dict[str, Any]]:
    """Return all scores of every subject, a row for each protocol and target."""
    rows = []
    for name, subject in subjects.items():
        metrics: dict[tuple[str, str], dict[str, float]] = {}
        for protocol, scores in subject.scores.items():
            for target, score in {"mean": scores.mean, **scores.categories, **scores.variables}.items():
                metrics[protocol, target] = score._asdict()
        for key, number in subject.numbers.items():
            protocol, target, metric = key.split("/")
            metrics.setdefault((protocol, target), {})[metric] = number
        for (protocol, target), numbers in metrics.items():
            rounded = {metric: round(number, 4) for metric, number in numbers.items()}
            key_columns = dict(zip(COLUMNS, (source, name, protocol, seed, target), strict=True))
            rows.append(key_columns | rounded)
    return rows


def write_rows(run: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows to `probe.csv` in the run's folder."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, (*COLUMNS, *METRICS), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    write_atomically(run / "probe.csv", write)


def _is_state(key: str) -> bool:
    return key.split("/")[1].startswith(STATES)


def _cell(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"
