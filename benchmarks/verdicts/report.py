"""Tables of `benchmarks.verdicts.run`, from the csv alone.

`report`    tables, printed and written to the documentation
`verdicts`  rows of the csv by reward
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import markdown, replace_section
from benchmarks.verdicts.spoil import SPOILS

__all__ = ["COLUMNS", "report", "verdicts"]

COLUMNS = ("env", "seed", "spoil", "stage", "check", "level")
LEVELS = ("good", "doubtful", "bad")

Key = tuple[str, str, str]
"""Environment, seed and way to spoil."""


def verdicts(rows: Sequence[Sequence[str]]) -> dict[Key, dict[str, str]]:
    """Return the level of each check by reward: env, seed, spoil.

    Example:
        >>> verdicts([["lamp", "0", "", "all", "range", "good"]])
        {('lamp', '0', ''): {'range': 'good'}}
    """
    result: dict[Key, dict[str, str]] = {}
    for env, seed, spoil, _, check, level in rows:
        result.setdefault((env, seed, spoil), {})[check] = level
    return result


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table of hits and misses and that of all rewards, and write both to a page."""
    by_reward = verdicts(rows)
    counts = {kind: dict.fromkeys(LEVELS, 0) for kind in ("well learned", "spoiled")}
    lines = [["environment", "seed", "reward", "verdict", "checks that are not good"]]
    stages = {(env, seed, spoil): stage for env, seed, spoil, stage, *_ in rows}
    for key, levels in by_reward.items():
        env, seed, spoil = key
        verdict = LEVELS[max(LEVELS.index(level) for level in levels.values())]
        counts["spoiled" if spoil else "well learned"][verdict] += 1
        failed = [name for level in ("bad", "doubtful") for name in levels if levels[name] == level]
        words = ", ".join(f"{name} ({levels[name]})" for name in failed)
        early = "; before the training" if stages[key] == "demonstrations" else ""
        lines.append([env, seed, SPOILS[spoil].title if spoil else "learned", verdict, words + early])
    table = [["rewards", *LEVELS]]
    table += [[kind, *(str(number) for number in row.values())] for kind, row in counts.items()]
    for name, text in (
        ("verdicts", markdown(table)),
        ("verdicts of all rewards", markdown(lines, len(lines[0]))),
    ):
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)
