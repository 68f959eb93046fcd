"""Self-play preference optimization against a reward model of the same comparisons.

    python -m benchmarks.preferences.self_play
    python -m benchmarks.preferences.self_play --report

Both methods train by PPO and compare each new episode with the last 32 ones, so that they get the same
number of comparisons.  `self-play` takes win rates as rewards (`SelfPlayOnPolicy`).  `bradley-terry` trains
a reward model on all comparisons so far and takes its rewards.

- Rock, paper, scissors with an entropy weight of 0.2 or 1: a rater who knows the rules.  `exploitability`
  is the expected wins minus losses of the best reply to the final policy: 0 for equal probabilities, 1 for a
  single move.
- CartPole with episodes of 100 steps, in which a fallen pole rests: raters compare the number of upright
  steps and err in 0, 20 or 40 % of the comparisons, or prefer the worse of two episodes that differ by more
  than 25 steps (`intransitive`).  `true_return` is the mean of 20 episodes of the final policy.  `win_rate`
  is the fraction of pairs of such episodes that it wins against the final policy of the other method, by the
  same rater without errors.

A finished cell is a file in `runs/self_play/` and rows of `results/self_play.csv` (env, method, n_pairs,
flips, seed, metric, value).  Files are skipped when the command runs again.  Both methods have the same PPO.
Its lengths and entropy weights were tried on seed 100 with both methods.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.preferences.self_play_worlds import (
    STEPS,
    OnlineBradleyTerry,
    Recorder,
    RockPaperScissors,
    UprightPole,
    beats,
    turned,
)
from benchmarks.tables import make_parser, markdown, read_csv, replace_section
from rlpriors.agents import AlgorithmSettings, RelabelOnPolicy, make_algorithm
from rlpriors.agents.preferences.self_play import SelfPlayOnPolicy
from rlpriors.evaluation.intervals import bootstrap_interval
from rlpriors.preferences import Clip, OracleLabeler
from rlpriors.rewards import RewardSettings
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.training.rollout import evaluate_policy

__all__ = ["Cell", "collect_results", "report", "run_cell", "table"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "self_play.csv"
PAGE = ROOT / "docs" / "results" / "exploration.md"
RUNS, QUICK_RUNS = Path("runs") / "self_play", Path("runs") / "self_play-quick"
COLUMNS = ("env", "method", "n_pairs", "flips", "seed", "metric", "value")
GAME, WEAK_GAME, POLE = "rock-paper-scissors-1", "rock-paper-scissors-0.2", "upright-pole"
METHODS = ("self-play", "bradley-terry")
FLIPS = {GAME: ("0",), WEAK_GAME: ("0",), POLE: ("0", "0.2", "0.4", "intransitive")}
N_ENVS = 32
ROUNDS = {GAME: 100, WEAK_GAME: 100, POLE: 6}
"""Number of collections of one episode in each of the `N_ENVS` environments."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the environment."""
    method: str
    """Name of the method."""
    flips: str
    """Fraction of wrong answers, or "intransitive"."""
    seed: int
    """Random seed."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        return f"{self.env}-{self.method}-{self.flips}-seed{self.seed}.json"


def run_cell(cell: Cell, rounds: int | None = None) -> dict[str, Any]:
    """Train once; return the number of comparisons, the metrics and the returns of the final policy."""
    torch.set_num_threads(1)
    is_game = cell.env != POLE
    env = RockPaperScissors() if is_game else UprightPole()
    entropy = {GAME: 1.0, WEAK_GAME: 0.2, POLE: 0.01}[cell.env]
    ppo_settings = AlgorithmSettings("ppo", hidden=(32,), lr=2e-3 if is_game else 3e-3, entropy=entropy)
    ppo: Any = make_algorithm(
        env.observation_space, env.action_space, ppo_settings, device="cpu", seed=cell.seed
    )
    # In the game equal win rates must be equal, and not noise of unit variance.
    ppo.advantage_normalization = not is_game
    flips = 0.0 if cell.flips == "intransitive" else float(cell.flips)
    rule = beats if is_game else turned if cell.flips == "intransitive" else None
    recorder = Recorder(OracleLabeler(flips, rule=rule, seed=cell.seed))
    if cell.method == "bradley-terry":
        sizes = (
            RewardSettings(1, 1, inputs=("act",), n_actions=3, hidden=())
            if is_game
            else RewardSettings(4, 1, inputs=("obs_next",), n_actions=2, hidden=(32, 32))
        )
        ppo = RelabelOnPolicy(ppo, OnlineBradleyTerry(recorder, sizes, 20 if is_game else 50, cell.seed))
    agent = SelfPlayOnPolicy(ppo, recorder, size=N_ENVS)
    length = 1 if is_game else STEPS
    rounds = ROUNDS[cell.env] if rounds is None else rounds
    training = OnlineSettings(
        N_ENVS * length * rounds,
        N_ENVS,
        random_steps=0,
        collect_steps=N_ENVS * length,
        repeat=2 if is_game else 8,
        batch_size=32 if is_game else 320,
    )
    make = RockPaperScissors if is_game else UprightPole
    train_online(agent, make, settings=training, seed=cell.seed, progress=False)
    if is_game:
        return {"n_pairs": agent.n_comparisons, "metrics": {"exploitability": exploitability(agent.policy)}}
    episodes = evaluate_policy(agent.policy, make, 20, seed=1000 + cell.seed)
    returns = [float(episodes.episode(i).rew.sum()) for i in range(20)]
    metrics = {"true_return": float(np.mean(returns))}
    return {"n_pairs": agent.n_comparisons, "metrics": metrics, "returns": returns}


def exploitability(policy: Any) -> float:
    """Return the expected wins minus losses of the best reply to a policy of the game."""
    with torch.no_grad():
        logits, _ = policy.actor(torch.ones(1, 1))
    probabilities = torch.softmax(logits[0].double(), -1).numpy()
    wins = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # paper (1) beats rock (0)
    return float((wins @ probabilities).max())


def collect_results(runs: Path, results: Path) -> None:
    """Add the results in the files of the cells to the csv; development seeds are left out."""
    found = {Cell(**{name: content[name] for name in Cell._fields}): content for content in read_cells(runs)}
    rows = []
    for cell, content in found.items():
        if cell.seed >= 100:
            continue
        metrics = dict(content["metrics"])
        other = found.get(cell._replace(method=METHODS[1 - METHODS.index(cell.method)]))
        if cell.env == POLE and other is not None:
            metrics["win_rate"] = win_rate(content["returns"], other["returns"], cell.flips)
        rows += metric_rows((cell.env, cell.method, content["n_pairs"], cell.flips, cell.seed), metrics)
    # The number of comparisons follows from the cell.
    add_rows(results, COLUMNS, rows, key=lambda row: (*row[:2], *row[3:6]))


def win_rate(mine: Sequence[float], theirs: Sequence[float], flips: str) -> float:
    """Return the fraction of pairs of episodes that the first policy wins; a draw is half a win."""

    def clip(total: float) -> Clip:
        return Clip(np.zeros((2, 1)), np.zeros(1), np.array([total]), np.zeros(1, bool))

    oracle = OracleLabeler(rule=turned if flips == "intransitive" else None)
    labels = [oracle("", clip(a), clip(b)).value for a in mine for b in theirs]
    return float(np.mean([{0: 1.0, 1: 0.0, -1: 0.5}[label] for label in labels]))


def table(rows: Sequence[Sequence[str]], metrics: Sequence[str]) -> str:
    """Return a line for each rater and method: mean and interval of each metric over seeds."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    n_pairs: dict[tuple[str, str], list[float]] = {}
    for _, method, pairs, flips, _, metric, value in rows:
        values.setdefault((flips, method), {}).setdefault(metric, []).append(float(value))
        n_pairs.setdefault((flips, method), []).append(float(pairs))
    lines = [
        ["errors of the rater", "method", "seeds", "comparisons", *(m.replace("_", " ") for m in metrics)]
    ]
    for flips, method in sorted(values, key=lambda key: (key[0], METHODS.index(key[1]))):
        found = values[flips, method]
        cells = [
            str(bootstrap_interval(np.array(found[m]), np.random.default_rng(0), "mean"))
            if len(found[m]) > 1
            else f"{found[m][0]:.2f}"
            for m in metrics
        ]
        count = f"{np.mean(n_pairs[flips, method]):,.0f}"
        lines.append([flips, method, str(len(found[metrics[0]])), count, *cells])
    return markdown(lines, 2)


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the tables of both environments, and write them between their markers on the page."""
    metrics: tuple[str, ...]
    for env in FLIPS:
        metrics = ("true_return", "win_rate") if env == POLE else ("exploitability",)
        chosen = [row for row in rows if row[0] == env]
        if chosen:
            text = table(chosen, metrics)
            print(f"\n## {env}\n\n{text}")
            replace_section(page, env, text)


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=FLIPS, default=list(FLIPS), help="environments")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/self_play")
    parser.add_argument("--quick", action="store_true", help="two collections of each cell, without results")
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args()
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS)
        report(read_csv(RESULTS), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    cells = [
        Cell(env, method, flips, seed)
        for env in args.envs
        for seed in args.seeds
        for flips in FLIPS[env]
        for method in METHODS
    ]
    for cell in unfinished(cells, runs):
        content = {**cell._asdict(), **run_cell(cell, 2 if args.quick else None)}
        path = runs / cell.file
        write_cell(path, content)
        print(path.stem, content["n_pairs"], content["metrics"], flush=True)
    if not args.quick:
        collect_results(runs, RESULTS)


if __name__ == "__main__":
    main()
