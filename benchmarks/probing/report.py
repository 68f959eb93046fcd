"""Tables of `benchmarks.probing.run`, from the csv alone.

`report`  tables of both protocols, printed and written to the page of the results
`tables`  tables of one protocol
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.probing.published import PUBLISHED, PUBLISHED_METHODS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval, paired_difference
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS

__all__ = ["report", "tables"]

FIRST = ("majority", "pixels", "random-cnn")
"""Controls at the top of each table."""
GAMES_PER_TABLE = 6
SAVED_READOUTS = {"rlpriors/atari-filters": "lines>sign-projection(512)"}
"""Readouts of saved encoders with which random-cnn has been probed too, as their second control."""

Subject = tuple[str, str]
"""Encoder and readout."""
Scores = dict[Subject, dict[str, dict[int, float]]]
"""Weighted F1 by encoder and readout, game and seed."""


def report(rows: Sequence[dict[str, str]], page: Path) -> None:
    """Print the tables of each protocol, and write them to the page."""
    for protocol in PROTOCOLS:
        text = tables(rows, protocol, with_published=protocol == "published")
        print(f"\n## {protocol}\n\n{text}")
        replace_section(page, protocol, text)


def tables(rows: Sequence[dict[str, str]], protocol: str, *, with_published: bool) -> str:
    """Return the tables of one protocol: scores and a comparison for each number of steps."""
    by_steps: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_steps[row["n_steps"]].append(row)
    parts = []
    for n_steps, some in sorted(by_steps.items(), key=lambda item: int(item[0])):
        scores: Scores = defaultdict(lambda: defaultdict(dict))
        for row in some:
            if row["protocol"] == protocol:
                subject = (row["encoder"], row["readout"])
                scores[subject][row["game"]][int(row["seed"])] = float(row["f1_weighted"])
        parts.append(f"{n_steps} steps:\n\n{score_tables(scores, with_published=with_published)}")
        comparison = compare_with_random(scores)
        if comparison:
            parts.append(comparison)
    return "\n\n".join(parts)


def score_tables(scores: Scores, *, with_published: bool) -> str:
    """Return tables with a line for each encoder and a column for each of at most six games.

    Cells are means over seeds with 95 % bootstrap intervals.  The last table has the mean over all games.
    """
    games = sorted({game for by_game in scores.values() for game in by_game})
    known = [PUBLISHED[game] for game in games if game in PUBLISHED]
    texts = []
    for start in range(0, len(games), GAMES_PER_TABLE):
        some, last = games[start : start + GAMES_PER_TABLE], start + GAMES_PER_TABLE >= len(games)
        lines = [["encoder", *some, *(["**mean**"] if last else [])]]
        n_seeds = {game: max(len(by_game.get(game, {})) for by_game in scores.values()) for game in some}
        for subject in sorted(scores, key=_order):
            cells = [cell(scores[subject].get(game, {}), n_seeds[game]) for game in some]
            lines.append(
                [" ".join(subject).strip(), *cells, *([_mean(scores[subject], games)] if last else [])]
            )
        for i, method in enumerate(PUBLISHED_METHODS if with_published and known else ()):
            cells = [f"{PUBLISHED[game][i]:.2f}" if game in PUBLISHED else "" for game in some]
            mean = f"{np.mean([row[i] for row in known]):.2f}"
            lines.append([f"{method}, published", *cells, *([mean] if last else [])])
        texts.append(markdown(lines))
    return "\n\n".join(texts)


def compare_with_random(scores: Scores) -> str:
    """Return a comparison of encoders with the random network, with its own readout and with theirs.

    The columns are the number of games with a higher score, the mean difference, and the fraction of the
    distance to the longest supervised training that is closed.
    """
    lines = [
        [
            *("encoder", "readout", "readout of random-cnn", "better than random-cnn"),
            *("mean difference", "gap to supervised closed"),
        ]
    ]
    supervised = max(scores, key=lambda subject: _epochs(subject[0]), default=("", ""))  # the longest
    ceiling = scores[supervised] if _epochs(supervised[0]) else {}
    pairs = [(*subject, subject[1]) for subject in sorted(scores, key=_order)]
    pairs += [
        (name, "default", saved) for name, saved in SAVED_READOUTS.items() if (name, "default") in scores
    ]
    for encoder, readout, control in pairs:
        baseline = scores.get(("random-cnn", control))
        if encoder in FIRST or _epochs(encoder) or not baseline:
            continue
        by_game = scores[encoder, readout]
        common = {game: sorted(set(by_game[game]) & set(baseline.get(game, {}))) for game in by_game}
        games = [game for game, seeds in common.items() if len(seeds) >= 2]
        if not games:
            continue
        n_better = sum(_is_better(by_game[game], baseline[game], common[game]) for game in games)
        seeds = sorted(set.intersection(*(set(common[game]) for game in games)))
        values, random = (np.array([[x[g][s] for g in games] for s in seeds]) for x in (by_game, baseline))
        rng = np.random.default_rng(0)
        difference = str(paired_difference(values, random, rng)) if len(seeds) > 1 else ""
        lines.append(
            [
                *(encoder, readout, control, f"{n_better} of {len(games)} games", difference),
                _closed_gap(by_game, baseline, ceiling, {game: common[game] for game in games}),
            ]
        )
    if len(lines) == 1:
        return ""
    note = "On the seeds that both encoders have. Better: the intervals do not overlap."
    return f"{note}\n\n{markdown(lines, 3)}"


def _closed_gap(
    by_game: dict[str, dict[int, float]],
    baseline: dict[str, dict[int, float]],
    ceiling: dict[str, dict[int, float]],
    seeds_of_game: dict[str, list[int]],
) -> str:
    """Return the median fraction of the gap that is closed, and the number of games without a gap."""
    fractions, n_without = [], 0
    for game, all_seeds in seeds_of_game.items():
        seeds = [seed for seed in all_seeds if seed in ceiling.get(game, {})]
        if not seeds:
            continue
        value, low, high = (float(np.mean([x[game][s] for s in seeds])) for x in (by_game, baseline, ceiling))
        if high > low:
            fractions.append((value - low) / (high - low))
        n_without += high <= low
    text = f"{np.median(fractions):.0%} (median of {len(fractions)})" if fractions else ""
    return text + (f"; none to close in {n_without}" if n_without else "")


def cell(by_seed: dict[int, float], n_seeds: int) -> str:
    """Return the mean over seeds with its interval; the seeds are listed if other encoders have more."""
    if not by_seed:
        return ""
    values = np.array([*by_seed.values()])
    text = f"{values[0]:.2f}"
    if len(values) > 1:
        text = str(bootstrap_interval(values, np.random.default_rng(0), "mean"))
    return text + (f" ({_seeds(by_seed)})" if len(values) < n_seeds else "")


def _seeds(seeds: Iterable[int]) -> str:
    names = ", ".join(map(str, sorted(seeds)))
    return f"seeds {names}" if "," in names else f"seed {names}"


def _is_better(by_seed: dict[int, float], baseline: dict[int, float], seeds: list[int]) -> bool:
    interval, baseline_interval = (
        bootstrap_interval(np.array([x[seed] for seed in seeds]), np.random.default_rng(0), "mean")
        for x in (by_seed, baseline)
    )
    return interval.low > baseline_interval.high


def _mean(by_game: dict[str, dict[int, float]], games: list[str]) -> str:
    """Return the mean over all games, of the seeds that have all games."""
    if set(by_game) != set(games):
        return f"({len(by_game)} of {len(games)} games)"
    seeds = sorted(set.intersection(*(set(by_game[game]) for game in games)))
    values = np.array([[by_game[game][seed] for game in games] for seed in seeds])
    if len(seeds) < 2:
        return f"{values.mean():.2f} ({_seeds(seeds)})" if seeds else "(no seed has all)"
    interval = bootstrap_interval(values, np.random.default_rng(0), "mean")
    complete = all(len(by_seed) == len(seeds) for by_seed in by_game.values())
    return f"{interval}" if complete else f"{interval} ({_seeds(seeds)})"


def _order(subject: Subject) -> tuple[int, str, str]:
    encoder, readout = subject
    place = FIRST.index(encoder) if encoder in FIRST else len(FIRST) + _epochs(encoder)
    return place, encoder, readout


def _epochs(encoder: str) -> int:
    """Return the number of epochs of `supervised`, and 0 for all other encoders."""
    match = re.match(r"supervised \((\d+) epochs\)", encoder)
    return int(match[1]) if match else 0
