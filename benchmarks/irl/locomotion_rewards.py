"""Correlation of the rewards of Hopper and HalfCheetah with speed, height and time to the end of the episode.

    python -m benchmarks.irl.run --environments hopper halfcheetah --seeds 0 1 2 --parts main
    python -m benchmarks.irl.locomotion_rewards
    python -m benchmarks.irl.locomotion_rewards --report

The command reads the rewards that `benchmarks.irl.run` saved, and the true reward, on the held-out quarter of
the replay.  It computes Spearman's correlation over steps with the true reward, the forward speed, the height
of the body, the remaining steps of the episode (clipped at 100), and the index of the episode in the training
run of the recorded agent.  Results go to `results/irl_locomotion.csv` and `docs/results/irl.md`; `--report`
only rewrites the page from the csv.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.irl.environments.locomotion import LocomotionEnvironment
from benchmarks.tables import make_parser, markdown, read_csv, replace_section, write_csv
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.epic import spearman
from rlpriors.rewards import load_reward

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "irl_locomotion.csv"
PAGE = ROOT / "docs" / "results" / "irl.md"
COLUMNS = (
    *("environment", "method", "seed"),
    *("true_reward", "speed", "height", "steps_left", "episode_index"),
)
TRUE_REWARD = "true reward"
ENVIRONMENTS = {"hopper": ("Hopper-v5", 5), "halfcheetah": ("HalfCheetah-v5", 8)}
"""Gymnasium id, and index of the forward speed in the observation; the height has index 0."""
MAX_STEPS_LEFT = 100


def step_quantities(store: EpisodeStore, speed: int) -> dict[str, np.ndarray]:
    """Return the quantities that a reward may correlate with, for each step."""
    obs = np.delete(store.obs, np.cumsum(store.lengths + 1) - 1, axis=0)
    steps_left = np.concatenate([np.arange(length)[::-1] for length in store.lengths])
    return {
        "true_reward": store.rew,
        "speed": obs[:, speed],
        "height": obs[:, 0],
        "steps_left": np.minimum(steps_left, MAX_STEPS_LEFT),
        "episode_index": store.episode_of,
    }


def measure(runs: Path) -> list[list[str]]:
    """Return a row for the true reward and for each saved reward."""
    rows = []
    for environment, (env_id, speed) in ENVIRONMENTS.items():
        store = LocomotionEnvironment(env_id).held_out
        quantities = {name: x.astype(np.float64) for name, x in step_quantities(store, speed).items()}
        rows.append([environment, TRUE_REWARD, "", *_correlations(quantities["true_reward"], quantities)])
        for folder in sorted((runs / environment).glob("seed?/rewards/*-20")):
            with torch.no_grad():
                learned = store.relabel(load_reward(folder, "cpu")).rew.astype(np.float64)
            seed = folder.parents[1].name.removeprefix("seed")
            method = folder.name.removesuffix("-20")
            rows.append([environment, method, seed, *_correlations(learned, quantities)])
    return rows


def _correlations(reward: np.ndarray, quantities: dict[str, np.ndarray]) -> list[str]:
    return [f"{spearman(reward, values):.4f}" for values in quantities.values()]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of the means over seeds, with their range."""
    by_reward: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for environment, method, _, *values in rows:
        by_reward[environment, method].append([float(value) for value in values])
    header = ["environment", "reward", "seeds", "true reward", "speed", "height", "steps left"]
    lines = [[*header, "episode index"]]
    for (environment, method), values in by_reward.items():
        low, mean, high = (np.array(values).min(0), np.array(values).mean(0), np.array(values).max(0))
        cells = [
            f"{m:.2f}" if len(values) < 2 else f"{m:.2f} ({a:.2f} to {b:.2f})"
            for a, m, b in zip(low, mean, high, strict=True)
        ]
        n_seeds = "" if method == TRUE_REWARD else str(len(values))
        lines.append([environment, method, n_seeds, *cells])
    return markdown(lines, 2)


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table and write it to the page."""
    print(table(rows))
    replace_section(page, "locomotion rewards", table(rows))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--runs", type=Path, default=Path("runs") / "irl", help="folder of the cells of benchmarks.irl.run"
    )
    parser.add_argument("--report", action="store_true", help="write the table from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), PAGE)
        return
    torch.set_num_threads(1)
    rows = measure(args.runs)
    if all(row[1] == TRUE_REWARD for row in rows):
        parser.error(
            f"`--runs` must contain rewards of Hopper and HalfCheetah. {args.runs} contains none: run "
            "benchmarks.irl.run first."
        )
    write_csv(RESULTS, COLUMNS, rows)
    report(rows, PAGE)


if __name__ == "__main__":
    main()
