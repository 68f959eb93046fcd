"""Success of the demo over seeds: the quality of its reward, and of planning with it.

    python -m benchmarks.demo.run 0 1 2

The command runs `rlpriors demo --seed <seed>` for each seed that has no finished run with today's settings in
`runs/` (empty that folder after a change of the code).  It prints the numbers of each seed, with their mean
and standard deviation over seeds (of a sample), and writes them to `results/demo.csv`.  No setting was chosen
on seeds 0, 1 and 2.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.tables import make_parser, markdown, write_csv
from rlpriors.device import resolve_device
from rlpriors.scripts.demo.settings import DemoSettings

RESULTS = Path(__file__).parents[1] / "results" / "demo.csv"
METRICS = [
    *("stay_unguided", "stay_guided", "stay_best_of_16", "stay_oracle", "reach_best_of_16"),
    *("spearman", "pearson", "epic", "seconds"),
]


def load_finished_run(seed: int, runs: Path) -> dict[str, Any] | None:
    """Return the results of a finished run of this seed with today's settings, or None."""
    expected = json.loads(json.dumps(asdict(DemoSettings(seed=seed))))
    for settings in sorted(runs.glob("demo-seed*/settings.json")):
        results = settings.with_name("results.json")
        if results.exists() and json.loads(settings.read_text()) == expected:
            return dict(json.loads(results.read_text()))
    return None


def run_demo(seed: int, runs: Path) -> dict[str, Any]:
    """Run the demo from its start: `seconds` of a resumed run would not include the first part."""
    command = [str(Path(sys.executable).with_name("rlpriors")), "demo", "--seed", str(seed)]
    subprocess.run([*command, "--folder", str(runs / f"demo-seed{seed}")], check=True)
    results = load_finished_run(seed, runs)
    assert results is not None
    return results


def describe_machine() -> str:
    """Return the processor or GPU that a demo runs on, and the version of torch."""
    device = resolve_device("auto")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    processor = platform.processor() or platform.machine()
    return f"{processor} with {os.cpu_count()} cores, torch {torch.__version__}"


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table: a line for each seed, then mean and standard deviation over seeds."""
    lines = [["seed", *METRICS]]
    lines += [[str(row["seed"]), *(format_value(name, row[name]) for name in METRICS)] for row in rows]
    if len(rows) > 1:
        values = {name: [row[name] for row in rows] for name in METRICS}
        cells = [
            f"{format_value(name, statistics.mean(x))} ± {format_value(name, statistics.stdev(x))}"
            for name, x in values.items()
        ]
        lines.append(["mean ± sd", *cells])
    return markdown(lines)


def format_value(metric: str, value: float) -> str:
    """Return a number with the digits of its metric."""
    return f"{value:.0f}" if metric == "seconds" else f"{value:.3f}"


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2], help="random seeds of the demo")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    args = parser.parse_args()

    rows = [load_finished_run(seed, args.runs) or run_demo(seed, args.runs) for seed in args.seeds]
    print(f"{describe_machine()}\n\n{table(rows)}")
    values = [[describe_machine(), row["seed"], *(row[name] for name in METRICS)] for row in rows]
    write_csv(RESULTS, ["machine", "seed", *METRICS], values)


if __name__ == "__main__":
    main()
