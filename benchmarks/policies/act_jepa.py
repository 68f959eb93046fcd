"""ACT-JEPA against the same network without the latent loss (ACT), with few demonstrations.

    python -m benchmarks.policies.act_jepa --envs medium-goals --demos 10 50 --seeds 0 1 2
    python -m benchmarks.policies.act_jepa --report

- `umaze-goals`, `medium-goals`: PointMaze with random starts and goals, and demonstrations of a scripted
  controller.  `success` is the fraction of episodes that reach the goal, `probe_r2` the R2 of a linear probe
  of the encoder for the displacement 24 steps later, on other episodes, and `raw_probe_r2` that of a probe of
  the observation.
- `act`, `act-jepa`: the same network and updates, without and with the latent loss.
- `act-jepa+observations`: a first stage on 100 episodes without actions.

Each environment, method, number of demonstrations and seed is a cell.  The csv `results/act_jepa.csv` holds
its values: env, method, demos, seed, metric, value.  A finished cell is skipped when the command runs again;
an interrupted training continues from its checkpoint.  The settings come from one first run on seed 100, and
are equal for all methods.

`--report` prints the table and rewrites that of `docs/results/policies.md`.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.policies.act_jepa_cells import COLUMNS, METHODS, Budget, Cell, run_cell
from benchmarks.policies.act_jepa_worlds import MAZES
from benchmarks.tables import make_parser, markdown, read_csv, replace_section, write_csv
from rlpriors.evaluation.intervals import bootstrap_interval, paired_difference
from rlpriors.storage.atomic import write_text_atomically

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "act_jepa.csv"
PAGE = ROOT / "docs" / "results" / "policies.md"
RUNS = Path("runs") / "act_jepa"
METRICS = ("success", "probe_r2", "raw_probe_r2")


def run_cells(cells: Iterable[Cell], runs: Path) -> None:
    """Run the cells whose files do not exist, one after the other."""
    runs.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        if not (runs / cell.file).exists():
            values = run_cell(cell, runs)
            content = {name: getattr(cell, name) for name in ("env", "method", "n_demos", "seed")}
            write_text_atomically(runs / cell.file, json.dumps({**content, "values": values}) + "\n")
            numbers = ", ".join(f"{metric} {value:.3f}" for metric, value in values)
            print(f"{cell.env} {cell.method} {cell.n_demos} seed {cell.seed}: {numbers}", flush=True)


def collect_results(runs: Path, results: Path) -> None:
    """Add the values of finished cells to the csv; rows of the same cell and metric are replaced."""
    rows = {tuple(row[:5]): row for row in read_csv(results)}
    for file in sorted(runs.glob("*.json")):
        content = json.loads(file.read_text())
        for metric, value in content["values"]:
            names = (content[name] for name in ("env", "method", "n_demos", "seed"))
            key = (*map(str, names), metric)
            rows[key] = [*key, f"{value:.6g}"]
    write_csv(results, COLUMNS, [rows[key] for key in sorted(rows)])


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table and write it between its markers on the page."""
    text = table(rows)
    print(text)
    replace_section(page, "act-jepa", text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each environment, number of demonstrations and method.

    Values are means over seeds with an interval.  `success - act` is the difference to ACT on the same seeds.
    """
    lines = [["environment", "demonstrations", "method", "seeds", *METRICS, "success - act"]]
    found = {tuple(row[:5]): float(row[5]) for row in rows}
    groups = {(row[0], int(row[2]), row[1]) for row in rows}
    for env, demos, method in sorted(groups, key=lambda g: (-len(g[0].split("medium")), g)):
        seeds = sorted(
            {row[3] for row in rows if (row[0], row[1], row[2]) == (env, method, str(demos))}, key=int
        )
        values = [
            np.array([found[env, method, str(demos), seed, metric] for seed in seeds]) for metric in METRICS
        ]
        act = [found.get((env, "act", str(demos), seed, "success"), np.nan) for seed in seeds]
        difference = "-"
        if method != "act" and np.isfinite(act).all() and len(seeds) > 1:
            difference = str(paired_difference(values[0], np.array(act), np.random.default_rng(0), "mean"))
        lines.append([env, str(demos), method, str(len(seeds)), *map(_mean, values), difference])
    return markdown(lines, 3)


def _mean(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(values, np.random.default_rng(0), "mean"))


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser, sizes = make_parser(__doc__), Budget()
    parser.add_argument("--envs", nargs="+", choices=list(MAZES), default=list(MAZES), help="environments")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="methods")
    parser.add_argument("--demos", nargs="+", type=int, default=[10, 50], help="numbers of demonstrations")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument("--updates", type=int, default=sizes.updates, help="updates on demonstrations")
    parser.add_argument("--first-updates", type=int, default=sizes.first_updates, help="updates before them")
    parser.add_argument("--n-episodes", type=int, default=sizes.n_episodes, help="episodes to evaluate")
    parser.add_argument(
        "--latent-weight", type=float, default=sizes.latent_weight, help="latent loss's weight"
    )
    parser.add_argument("--lr", type=float, default=sizes.lr, help="learning rate")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the finished cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the values")
    parser.add_argument("--report", action="store_true", help="write the table from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    budget = Budget(
        updates=args.updates,
        first_updates=args.first_updates,
        n_episodes=args.n_episodes,
        latent_weight=args.latent_weight,
        lr=args.lr,
    )
    cells = [
        Cell(env, method, demos, seed, budget)
        for seed in args.seeds
        for env in args.envs
        for demos in args.demos
        for method in args.methods
    ]
    run_cells(cells, args.runs)
    collect_results(args.runs, args.results)


if __name__ == "__main__":
    main()
