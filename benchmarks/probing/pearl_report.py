"""Tables of `benchmarks.probing.pearl`, from the csv alone.

`COLUMNS`   columns of the csv
`report`    tables of both protocols, printed and written to the page of the results
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS

__all__ = ["COLUMNS", "report"]

COLUMNS = (
    *("game", "encoder", "weights", "bn", "readout", "dim", "protocol"),
    *("seed", "f1_weighted", "frames_per_s"),
)
LITE0 = "efficientnet-lite0"
SUBJECTS = {
    (LITE0, "imagenet", "original"): "ImageNet",
    (LITE0, "random", "original"): "random",
    (LITE0, "imagenet", "calibrated"): "ImageNet, calibrated",
    (LITE0, "random", "calibrated"): "random, calibrated",
    ("rlpriors/atari-filters", "random", "none"): "filters",
    ("random-cnn", "random", "none"): "random CNN",
}
"""Column headings by encoder, weights and BatchNorm."""
READOUTS = (
    *("global", "grid(4)", "grid(4) at 8", "grid(4) at 16", "grid(4) at 32", "lines", "lines at 16"),
    *("motion-mask(difference)", "topk-crops(4,difference)", "crops(1,2,4)"),
)
COMPARISONS = {
    "ImageNet against random weights": ("ImageNet", "random"),
    "the same, both calibrated": ("ImageNet, calibrated", "random, calibrated"),
    "calibration of ImageNet": ("ImageNet, calibrated", "ImageNet"),
    "calibration of random weights": ("random, calibrated", "random"),
}

Scores = dict[tuple[str, str], dict[tuple[str, str], float]]
"""Weighted F1 by subject and readout, then by game and seed."""


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the tables, and write them to the page."""
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    for protocol in PROTOCOLS:
        scores = read_scores([row for row in table if row["protocol"] == protocol])
        texts = [f"{extent(scores)}\n\n{mean_table(scores)}", comparison_table(scores), gain_table(scores)]
        replace_section(page, protocol, "\n\n".join(texts))
        print(f"{protocol}\n", *texts, sep="\n\n")
        games = "\n\n".join(game_table(scores, readouts) for readouts in game_readouts(scores))
        replace_section(page, f"games, {protocol}", games)
    speeds = speed_table(table)
    replace_section(page, "speed", speeds)
    print(speeds)


def read_scores(rows: Sequence[dict[str, str]]) -> Scores:
    """Return the scores by subject and readout."""
    scores: Scores = defaultdict(dict)
    for row in rows:
        subject = SUBJECTS[row["encoder"], row["weights"], row["bn"]]
        scores[subject, row["readout"]][row["game"], row["seed"]] = float(row["f1_weighted"])
    return scores


def extent(scores: Scores) -> str:
    """Return the games and seeds of the tables."""
    cells = {cell for by_cell in scores.values() for cell in by_cell}
    games, seeds = (sorted({cell[i] for cell in cells}) for i in (0, 1))
    return f"Games: {', '.join(games)}. Seeds: {', '.join(seeds)}."


def mean_table(scores: Scores) -> str:
    """Return the mean over games and seeds of each readout and subject; incomplete means name the count."""
    n_cells = max(map(len, scores.values()), default=0)
    lines = [["readout", *SUBJECTS.values()]]
    for readout in READOUTS:
        cells = []
        for subject in SUBJECTS.values():
            values = [*scores.get((subject, readout), {}).values()]
            text = f"{np.mean(values):.3f}" if values else ""
            cells.append(text + (f" ({len(values)} of {n_cells})" if 0 < len(values) < n_cells else ""))
        if any(cells):
            lines.append([readout, *cells])
    return markdown(lines)


def comparison_table(scores: Scores) -> str:
    """Return the effects of weights and of BatchNorm on lite0, in games that both sides have."""
    lines = [["readout of lite0", *COMPARISONS]]
    for readout in READOUTS:
        cells = [
            difference(scores.get((one, readout), {}), scores.get((other, readout), {}))
            for one, other in COMPARISONS.values()
        ]
        if any(cells):
            lines.append([readout, *cells])
    return f"Difference of weighted F1, and the number of games in which it is above 0:\n\n{markdown(lines)}"


def gain_table(scores: Scores) -> str:
    """Return the gain of each readout over the global vector of the same network."""
    lines = [["gain over global", *SUBJECTS.values()]]
    for readout in READOUTS[1:]:
        cells = [
            difference(scores.get((subject, readout), {}), scores.get((subject, "global"), {}))
            for subject in SUBJECTS.values()
        ]
        if any(cells):
            lines.append([readout, *cells])
    return f"Difference to the global vector of the same network:\n\n{markdown(lines)}"


def difference(one: dict[tuple[str, str], float], other: dict[tuple[str, str], float]) -> str:
    """Return the mean difference, its interval over games and seeds, and the number of games above 0."""
    common = sorted(set(one) & set(other))
    if not common:
        return ""
    by_game: dict[str, list[float]] = defaultdict(list)
    for cell in common:
        by_game[cell[0]].append(one[cell] - other[cell])
    means = np.array([np.mean(values) for values in by_game.values()])
    text = f"{round(means.mean(), 3) + 0.0:+.3f}"  # never -0.000
    if len(means) > 1:
        interval = bootstrap_interval(means, np.random.default_rng(0), "mean")
        text += f" [{interval.low:+.3f}, {interval.high:+.3f}]"
    return f"{text}, {int((means > 0).sum())} of {len(means)}"


def game_readouts(scores: Scores) -> list[str]:
    """Return the readouts that have scores."""
    return [readout for readout in READOUTS if any(name == readout for _, name in scores)]


def game_table(scores: Scores, readout: str) -> str:
    """Return the scores of a readout by game."""
    subjects = [subject for subject in SUBJECTS.values() if (subject, readout) in scores]
    games = sorted({game for subject in subjects for game, _ in scores[subject, readout]})
    lines = [[readout, *subjects]]
    for game in games:
        values = [[f1 for cell, f1 in scores[s, readout].items() if cell[0] == game] for s in subjects]
        lines.append([game, *(f"{np.mean(value):.3f}" if value else "" for value in values)])
    return markdown(lines)


def speed_table(rows: Sequence[dict[str, str]]) -> str:
    """Return the frames per second of each readout, by network."""
    speeds = {(row["readout"], row["encoder"]): row["frames_per_s"] for row in rows if row["frames_per_s"]}
    networks = sorted({encoder for _, encoder in speeds})
    lines = [["readout", *networks]]
    for readout in READOUTS:
        cells = [speeds.get((readout, network), "") for network in networks]
        if any(cells):
            lines.append([readout, *(f"{float(cell):.0f}" if cell else "" for cell in cells)])
    return markdown(lines)
