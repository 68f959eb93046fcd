"""How good is the demo's reward, and how well does it steer, over seeds?

    python -m benchmarks.demo 0 1 2

Runs `rlpriors demo --seed <seed>` for each seed that has no finished run of today's settings in
`runs/` (empty it after a change of the code), and prints each seed's numbers with their mean and
standard deviation over seeds (that of a sample).  They also go to `results/demo.csv`.  No setting
was chosen on seeds 0, 1 and 2.
"""

import argparse
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

from benchmarks.tables import markdown, write_csv
from rlpriors.device import resolve_device
from rlpriors.scripts.demo.settings import DemoSettings

RESULTS = Path(__file__).parent / "results" / "demo.csv"
NUMBERS = [
    *("stay_unguided", "stay_guided", "stay_best_of_16", "stay_oracle", "reach_best_of_16"),
    *("spearman", "pearson", "epic", "seconds"),
]


def finished(seed: int, runs: Path) -> dict[str, Any] | None:
    """The numbers of a finished run of this seed with today's settings, if there is one."""
    wanted = json.loads(json.dumps(asdict(DemoSettings(seed=seed))))
    for settings in sorted(runs.glob("demo-seed*/settings.json")):
        results = settings.with_name("results.json")
        if results.exists() and json.loads(settings.read_text()) == wanted:
            return dict(json.loads(results.read_text()))
    return None


def run(seed: int, runs: Path) -> dict[str, Any]:
    """Run the demo.  From the beginning: `seconds` of a resumed run would leave its first part out."""
    command = [str(Path(sys.executable).with_name("rlpriors")), "demo", "--seed", str(seed)]
    subprocess.run([*command, "--folder", str(runs / f"demo-seed{seed}")], check=True)
    results = finished(seed, runs)
    assert results is not None
    return results


def machine() -> str:
    """The processor or GPU that a demo runs on, and torch's version."""
    device = resolve_device("auto")
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    processor = platform.processor() or platform.machine()
    return f"{processor} with {os.cpu_count()} cores, torch {torch.__version__}"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line for each seed, then mean and standard deviation over seeds."""
    lines = [["seed", *NUMBERS]]
    lines += [[str(row["seed"]), *(text(name, row[name]) for name in NUMBERS)] for row in rows]
    if len(rows) > 1:
        series = {name: [row[name] for row in rows] for name in NUMBERS}
        cells = [
            f"{text(name, statistics.mean(x))} ± {text(name, statistics.stdev(x))}"
            for name, x in series.items()
        ]
        lines.append(["mean ± sd", *cells])
    return markdown(lines)


def text(name: str, value: float) -> str:
    return f"{value:.0f}" if name == "seconds" else f"{value:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs are kept")
    args = parser.parse_args()

    rows = [finished(seed, args.runs) or run(seed, args.runs) for seed in args.seeds]
    print(f"{machine()}\n\n{table(rows)}")
    numbers = [[machine(), row["seed"], *(row[name] for name in NUMBERS)] for row in rows]
    write_csv(RESULTS, ["machine", "seed", *NUMBERS], numbers)


if __name__ == "__main__":
    main()
