"""Tables and figures of `irl.py`, from its csv alone.

`report`  prints a table for each world, draws the figures, and rewrites the tables of `docs/irl.md`
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.irl.figures import draw_demonstrations, draw_methods
from benchmarks.irl.scores import DEMOS, TITLES, Scores, interval, read
from benchmarks.tables import markdown, replace

__all__ = ["report"]

BASES = ("contrastive", "contrastive-all", "contrastive-action", "relative", "ratio", "chain-mmd-rbf")
"""What variants are held against."""
VARIED = (
    *("success", "pearson", "spearman", "pearson_data", "spearman_data", "epic"),
    *("erc_pearson_mixed", "normalized", "update_ms", "seconds"),
)

FEW = ("success", "normalized", "pearson", "spearman", "epic", "pearson_distance", "erc_pearson_mixed")
"""What is shown against the number of demonstrations."""


def report(
    rows: Sequence[Sequence[str]], docs: Path, main: Sequence[str], variants: Sequence[str] = ()
) -> None:
    """Show what the rows (world, method, seed, demos, metric, value) say.

    `main` and `variants` name methods in the order of their tables; `variants` stand below their base.
    """
    for world, scores in read(rows).items():
        texts = {world: table({name: scores[name] for name in main if name in scores})}
        if any(name in scores for name in variants):
            chosen = [name for name in (*BASES, *variants) if name in scores]
            texts[f"{world} variants"] = table({name: scores[name] for name in chosen}, VARIED)
        for mark, text in texts.items():
            print(f"\n## {mark}\n\n{text}")
            replace(docs / "irl.md", mark, text)
        if any(len(demos) > 1 for demos in scores.values()):
            text = by_demonstrations(scores)
            print(f"\n## {world} demonstrations\n\n{text}")
            replace(docs / "irl.md", f"{world} demonstrations", text)
            draw_demonstrations(scores, docs / "images" / f"irl-{world}-demonstrations.png", world)
        draw_methods(scores, main, docs / "images" / f"irl-{world}.png", world)


def table(scores: Scores, metrics: Sequence[str] = tuple(TITLES)) -> str:
    """Markdown: a line for each method, the mean over seeds with its 95 % bootstrap interval."""
    rows = {method: by_demos[DEMOS] for method, by_demos in scores.items() if DEMOS in by_demos}
    shown = [metric for metric in metrics if any(metric in numbers for numbers in rows.values())]
    lines = [["method", "seeds", *(TITLES[metric] for metric in shown)]]
    for method, numbers in rows.items():
        seeds = max(len(values) for values in numbers.values())
        cells = (_cell(numbers.get(metric, []), metric, seeds) for metric in shown)
        lines.append([method, str(seeds), *cells])
    return markdown(lines)


def by_demonstrations(scores: Scores) -> str:
    """Markdown: a line for each method and number of demonstrations, of methods with several of these."""
    found = {
        (method, n): numbers
        for method, by_demos in scores.items()
        if len(by_demos) > 1
        for n, numbers in sorted(by_demos.items(), key=lambda item: int(item[0]))
    }
    shown = [metric for metric in TITLES if metric in FEW and any(metric in row for row in found.values())]
    lines = [["method", "demonstrations", "seeds", *(TITLES[metric] for metric in shown)]]
    for (method, n), numbers in found.items():
        seeds = max(len(values) for values in numbers.values())
        lines.append([method, n, str(seeds), *(_cell(numbers.get(m, []), m, seeds) for m in shown)])
    return markdown(lines)


def _cell(values: list[float], metric: str, seeds: int) -> str:
    """The mean, its interval, and in parentheses the number of seeds where it is below the row's."""
    if not values:
        return ""
    digits = 0 if metric in ("seconds", "update_ms", "peak_mib") else 2
    mean = f"{np.mean(values):.{digits}f}"
    fewer = f" ({len(values)})" if len(values) < seeds else ""
    if len(values) < 2:
        return mean + fewer
    low, high = interval(values)
    return f"{mean} [{low:.{digits}f}, {high:.{digits}f}]{fewer}"
