"""Rewards from grades and from successes: measurements.

    python -m benchmarks.weak_labels.run progress
    python -m benchmarks.weak_labels.run degree
    python -m benchmarks.weak_labels.run report

Each line of the csv is one number: env, method, n_pairs, seed, metric, value.  Finished cells are skipped.
"""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch

from benchmarks.tables import make_parser, read_csv, write_csv
from benchmarks.weak_labels import degree, progress
from benchmarks.weak_labels.report import report

COLUMNS = ("env", "method", "n_pairs", "seed", "metric", "value")
RESULTS = Path(__file__).parents[1] / "results" / "weak_labels.csv"
Row = list[str]


def progress_rows(method: str, seed: int, n_groups: int, turn: float) -> Iterator[Row]:
    """Yield the success rates of one training: of all groups, of the last ten, and the first half."""
    rates = [rate for _, rate in progress.progress(method, seed, n_groups, turn)]
    halves = [number for number, rate in enumerate(rates) if rate >= 0.5]
    numbers = {
        "success": sum(rates) / len(rates),
        "last_success": sum(rates[-10:]) / len(rates[-10:]),
        "groups_to_half": halves[0] if halves else n_groups,
        "groups_without_success": sum(rate == 0 for rate in rates),
    }
    for metric, value in numbers.items():
        yield [f"Corridor-{turn}", method, "0", str(seed), metric, f"{value:.4g}"]


def main() -> None:
    """Run the missing cells of one question."""
    parser = make_parser(__doc__)
    parser.add_argument("question", choices=("progress", "degree", "report"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--groups", type=int, default=30)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = read_csv(arguments.output)
    if arguments.question == "report":
        print("\n\n".join(report(rows).values()))
        return
    done = {tuple(row[:4]) for row in rows}
    for seed in range(arguments.seeds):
        if arguments.question == "progress":
            for turn, method in product(progress.TURNS, progress.METHODS):
                if (f"Corridor-{turn}", method, "0", str(seed)) not in done:
                    rows += progress_rows(method, seed, arguments.groups, turn)
                    write_csv(arguments.output, COLUMNS, rows)
            continue
        for method in degree.METHODS:
            for n_pairs in (0,) if method == "drex" else (50, 200):
                if ("Pendulum-v1", method, str(n_pairs), str(seed)) not in done:
                    value = degree.spearman_of(method, n_pairs, seed)
                    cell = ["Pendulum-v1", method, str(n_pairs), str(seed)]
                    rows.append([*cell, "spearman", f"{value:.4g}"])
                    write_csv(arguments.output, COLUMNS, rows)


if __name__ == "__main__":
    main()
