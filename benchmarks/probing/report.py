"""Tables of `probe.py`, from its csv alone.

`PUBLISHED`  weighted F1 that AtariARI reports, by game
`report`     prints a table for each protocol and rewrites those of `docs/probe.md`
`tables`     those of one protocol
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace
from rlpriors.evaluation.intervals import bootstrap_interval, paired_difference
from rlpriors.evaluation.probing.linear_probe import PROTOCOLS

__all__ = ["PUBLISHED", "report", "tables"]

REPORTED = ("majority", "random-cnn", "st-dim", "supervised")
PUBLISHED = {
    # Anand et al. 2019, arXiv 1906.08226, F1 of probes by game, 50000 steps of a random agent.
    "asteroids": (0.28, 0.34, 0.49, 0.52),
    "berzerk": (0.18, 0.43, 0.53, 0.68),
    "bowling": (0.33, 0.48, 0.96, 0.95),
    "boxing": (0.01, 0.19, 0.58, 0.83),
    "breakout": (0.17, 0.51, 0.88, 0.94),
    "demonattack": (0.16, 0.26, 0.69, 0.83),
    "freeway": (0.01, 0.50, 0.81, 0.98),
    "frostbite": (0.33, 0.57, 0.75, 0.85),
    "hero": (0.42, 0.75, 0.93, 0.98),
    "montezumarevenge": (0.08, 0.68, 0.78, 0.87),
    "mspacman": (0.10, 0.48, 0.72, 0.87),
    "pitfall": (0.07, 0.34, 0.60, 0.83),
    "pong": (0.10, 0.17, 0.81, 0.87),
    "privateeye": (0.23, 0.70, 0.91, 0.97),
    "qbert": (0.29, 0.49, 0.73, 0.76),
    "riverraid": (0.04, 0.34, 0.36, 0.57),
    "seaquest": (0.29, 0.57, 0.67, 0.85),
    "spaceinvaders": (0.14, 0.41, 0.57, 0.75),
    "tennis": (0.09, 0.41, 0.60, 0.81),
    "venture": (0.09, 0.36, 0.58, 0.68),
    "videopinball": (0.09, 0.37, 0.61, 0.82),
    "yarsrevenge": (0.01, 0.22, 0.42, 0.74),
}
FIRST = ("majority", "pixels", "random-cnn")

Scores = dict[tuple[str, str], dict[str, dict[int, float]]]
"""Weighted F1 by encoder and readout, game and seed."""


def report(rows: Sequence[dict[str, str]], page: Path) -> None:
    """Show what the rows of the csv say."""
    for protocol in PROTOCOLS:
        text = tables(rows, protocol, reported=protocol == "published")
        print(f"\n## {protocol}\n\n{text}")
        replace(page, protocol, text)


def tables(rows: Sequence[dict[str, str]], protocol: str, *, reported: bool) -> str:
    """What the rows say by one protocol: a table and a comparison for each number of steps."""
    by_steps: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_steps[row["steps"]].append(row)
    parts = []
    for steps, some in sorted(by_steps.items(), key=lambda item: int(item[0])):
        scores: Scores = defaultdict(lambda: defaultdict(dict))
        for row in some:
            if row["protocol"] == protocol:
                key = (row["encoder"], row["readout"])
                scores[key][row["game"]][int(row["seed"])] = float(row["f1_weighted"])
        parts.append(f"{steps} steps:\n\n{table(scores, reported=reported)}")
        compared = comparison(scores)
        if compared:
            parts.append(compared)
    return "\n\n".join(parts)


def table(scores: Scores, *, reported: bool) -> str:
    """A line for each game: means over seeds with 95 % bootstrap intervals, and what was published."""
    subjects = sorted(scores, key=_place)
    games = sorted({game for by_game in scores.values() for game in by_game})
    names = [f"{encoder} {readout}".strip() for encoder, readout in subjects]
    lines = [["game", *names, *(f"{name}, published" for name in REPORTED if reported)]]
    for game in games:
        most = max(len(scores[subject].get(game, {})) for subject in subjects)
        cells = [cell(scores[subject].get(game, {}), most) for subject in subjects]
        lines.append([game, *cells, *(f"{f1:.2f}" for f1 in PUBLISHED.get(game, ()) if reported)])
    means = [_mean(scores[subject], games) for subject in subjects]
    known = [PUBLISHED[game] for game in games if game in PUBLISHED]
    lines.append(
        ["**mean**", *means, *(f"{f1:.2f}" for f1 in np.mean(known, 0).tolist() if reported)]
        if known
        else ["**mean**", *means]
    )
    return markdown(lines)


def comparison(scores: Scores) -> str:
    """Encoders against the random one with the same readout: how often better, how far to the ceiling."""
    lines = [["encoder", "readout", "better than random-cnn", "mean difference", "gap to supervised closed"]]
    taught = max(scores, key=lambda subject: _epochs(subject[0]), default=("", ""))  # the longest
    ceiling = scores[taught] if _epochs(taught[0]) else {}
    for encoder, readout in sorted(scores, key=_place):
        base = scores.get(("random-cnn", readout))
        if encoder in FIRST or _epochs(encoder) or not base:
            continue
        by_game = scores[encoder, readout]
        both = {game: sorted(set(by_game[game]) & set(base.get(game, {}))) for game in by_game}
        shared = [game for game, seeds in both.items() if len(seeds) >= 2]
        if not shared:
            continue
        apart = sum(_above(by_game[game], base[game], both[game]) for game in shared)
        seeds = sorted(set.intersection(*(set(both[game]) for game in shared)))
        mine, random = (np.array([[x[g][s] for g in shared] for s in seeds]) for x in (by_game, base))
        difference = str(paired_difference(mine, random, np.random.default_rng(0))) if len(seeds) > 1 else ""
        gaps, without = [], 0
        for game in shared:
            told = [seed for seed in both[game] if seed in ceiling.get(game, {})]
            if not told:
                continue
            own, low, high = (float(np.mean([x[game][s] for s in told])) for x in (by_game, base, ceiling))
            if high > low:
                gaps.append((own - low) / (high - low))
            without += high <= low
        closed = f"{np.median(gaps):.0%} (median of {len(gaps)})" if gaps else ""
        closed += f"; none to close in {without}" if without else ""
        lines.append([encoder, readout, f"{apart} of {len(shared)} games", difference, closed])
    if len(lines) == 1:
        return ""
    text = markdown(lines, 2)
    return f"On the seeds that both have. Better is: by intervals that do not overlap.\n\n{text}"


def cell(by_seed: dict[int, float], most: int) -> str:
    """The mean over seeds with its interval, where there are several; which seeds, if others have more."""
    if not by_seed:
        return ""
    values = np.array([*by_seed.values()])
    told = f"{values[0]:.2f}"
    if len(values) > 1:
        told = str(bootstrap_interval(values, np.random.default_rng(0), "mean"))
    return told + (f" ({_seeds(by_seed)})" if len(values) < most else "")


def _seeds(seeds: Iterable[int]) -> str:
    names = ", ".join(map(str, sorted(seeds)))
    return f"seeds {names}" if "," in names else f"seed {names}"


def _above(mine: dict[int, float], base: dict[int, float], seeds: list[int]) -> bool:
    mine_interval, base_interval = (
        bootstrap_interval(np.array([x[seed] for seed in seeds]), np.random.default_rng(0), "mean")
        for x in (mine, base)
    )
    return mine_interval.low > base_interval.high


def _mean(by_game: dict[str, dict[int, float]], games: list[str]) -> str:
    """Over all games, for those who have them all, of the seeds that have all games."""
    if set(by_game) != set(games):
        return f"({len(by_game)} of {len(games)} games)"
    seeds = sorted(set.intersection(*(set(by_game[game]) for game in games)))
    values = np.array([[by_game[game][seed] for game in games] for seed in seeds])
    if len(seeds) < 2:
        return f"{values.mean():.2f} ({_seeds(seeds)})" if seeds else "(no seed has all)"
    found = bootstrap_interval(values, np.random.default_rng(0), "mean")
    whole = all(len(by_seed) == len(seeds) for by_seed in by_game.values())
    return f"{found}" if whole else f"{found} ({_seeds(seeds)})"


def _place(subject: tuple[str, str]) -> tuple[int, str, str]:
    encoder, readout = subject
    number = FIRST.index(encoder) if encoder in FIRST else len(FIRST) + _epochs(encoder)
    return number, encoder, readout


def _epochs(encoder: str) -> int:
    """How long `supervised` learned; 0 for all others."""
    found = re.match(r"supervised \((\d+) epochs\)", encoder)
    return int(found[1]) if found else 0
