"""Actions per second on one CPU thread, and success, of a planner and of the policies that it teaches.

    rlpriors demo --seed 0                          # prior and learned reward, for each seed
    python -m benchmarks.planning_speed.run --seeds 0 1 2
    python -m benchmarks.irl.run --environments large --parts main --methods contrastive --runs runs/teachers
    python -m benchmarks.planning_speed.run --envs large --seeds 0 1 2
    python -m benchmarks.planning_speed.run --report

The teacher is the planner of a demo, or of `benchmarks.irl` in the large maze: its prior, and the reward that
`DiffusionIRL` learned from 20 demonstrations.  `--reward true` plans by the true distance instead.  A
method's name ends with the number of environment steps between two decisions; "distilled/1" decides anew for
each action.

The speed is the number of actions per second of CPU time, for one environment and one thread.  On an idle
core it is the number per second; other programs change only the latter.  The simulator's time is not
included.  The success is the fraction of episodes whose last 30 steps are at the goal.

Each environment, method and seed is a cell.  A finished cell is skipped when the command runs again, and an
interrupted training continues.  The csv `results/planning_speed.csv` holds env, method, seed, actions_per_s
and success.  `--report` prints the table and rewrites that of `docs/results/planning_speed.md`.
"""

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.env import DummyVectorEnv

from benchmarks.cells import add_rows, read_cells, write_cell
from benchmarks.planning_speed.methods import BUDGETS, METHODS, load_teacher, make_method
from benchmarks.planning_speed.report import report
from benchmarks.tables import make_parser, read_csv
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask
from rlpriors.training.rollout import evaluate_policy

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "planning_speed.csv"
PAGE = ROOT / "docs" / "results" / "planning_speed.md"
COLUMNS = ("env", "method", "seed", "actions_per_s", "success")
LARGE = "runs/teachers/large/seed{seed}"
TEACHERS = {
    "umaze": ("runs/demo-seed{seed}/prior", "runs/demo-seed{seed}/reward"),
    "large": (f"{LARGE}/prior", f"{LARGE}/rewards/contrastive-20"),
}
"""Folders of the prior and of the reward in each maze."""


def actions_per_second(policy: Policy, obs: np.ndarray, seconds: float = 0.4, rounds: int = 5) -> float:
    """Return the median over rounds of the actions per second of CPU time, for the observation of one step.

    A round has whole chunks of 48 actions, so that each has the same number of decisions per action.
    """
    rates, state = [], None
    batch = Batch(obs=obs[None], info={})
    for number in range(rounds + 1):
        n, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds:
            for _ in range(48):
                out = policy(batch, state)
                state = out.state
            n += 48
        if number:  # the first round warms up
            rates.append(n / spent)
    return statistics.median(rates)


def success(policy: Policy, task: PointMazeTask, n_episodes: int, seed: int) -> float:
    """Return the fraction of episodes that end at the goal and stay there."""
    envs = DummyVectorEnv([task.env_factory] * n_episodes)
    episodes = evaluate_policy(policy, envs, n_episodes, seed=seed, env_seed=seed, obs_keys=OBS_KEYS)
    envs.close()
    return float(task.stayed(episodes).mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TEACHERS, default=["umaze"], help="mazes")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    made = "by default those of the commands above, with {env} and {seed} for environment and seed"
    parser.add_argument("--prior", help=f"folders of priors; {made}")
    parser.add_argument("--reward", help=f'folders of rewards, or "true"; {made}')
    parser.add_argument("--states", type=int, help="states of recorded plans; by default those of the maze")
    parser.add_argument("--updates", type=int, help="updates of a policy; by default those of the maze")
    parser.add_argument("--n-episodes", type=int, default=20, help="number of episodes of a method")
    parser.add_argument("--runs", type=Path, default=Path("runs/planning_speed"), help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the values")
    parser.add_argument("--report", action="store_true", help="write the table from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    given = {name: getattr(args, name) for name in ("states", "updates") if getattr(args, name) is not None}
    for method in args.methods:
        for env in args.envs:
            for seed in args.seeds:
                folder = args.runs / f"{env}-seed{seed}"
                file = folder / f"{method.replace('/', '-every-')}.json"
                if file.exists():
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                saved = args.prior or TEACHERS[env][0], args.reward or TEACHERS[env][1]
                prior, reward = (Path(name.format(seed=seed, env=env)) for name in saved)
                reward = None if args.reward == "true" else reward
                teacher = load_teacher(env, seed, prior, reward, folder, BUDGETS[env]._replace(**given))
                policy = make_method(method, teacher)
                rate = actions_per_second(policy, np.array([0.5, 1.0, 0.1, 0.0], np.float32))
                value = success(policy, teacher.task, args.n_episodes, 5000 + seed)
                row = [env, method, str(seed), f"{rate:.4g}", f"{value:.4g}"]
                write_cell(file, row)
                print(" ".join(row), flush=True)
    collect(args.runs, args.results)


def collect(runs: Path, results: Path) -> None:
    """Add the values of finished cells to the csv; rows of the same cell are replaced."""
    found = read_cells(runs, "*/*-every-*.json")
    add_rows(results, COLUMNS, found, key=lambda row: (row[0], METHODS.index(row[1]), int(row[2])))


if __name__ == "__main__":
    main()
