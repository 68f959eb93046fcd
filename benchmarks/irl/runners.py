"""What do the rewards of the runners follow: speed, height, or how long it is until the fall?

    python -m benchmarks.irl.run --worlds hopper halfcheetah --seeds 0 1 2 --parts main
    python -m benchmarks.irl.runners

Rewards that `irl.py` kept, and the true one, on the quarter of the replay that nobody learned from:
Spearman's correlation, over steps, with the true reward, the forward speed, the height of the body, the
steps that are left of the episode (100 count as any more), and how late in its learning the recorded
agent took the step.  Goes to `results/irl_runners.csv` and to `docs/irl.md`.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.irl.locomotion import Locomotion
from benchmarks.tables import markdown, replace, write_csv
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.epic import spearman
from rlpriors.rewards import load_reward

RESULTS = Path(__file__).parents[1] / "results" / "irl_runners.csv"
PAGE = Path(__file__).parents[2] / "docs" / "irl.md"
COLUMNS = ("world", "method", "seed", "truth", "speed", "height", "left", "late")
WORLDS = {"hopper": ("Hopper-v5", 5), "halfcheetah": ("HalfCheetah-v5", 8)}
"""Environment, and which entry of its observation is the forward speed; the height is the first."""
SOON = 100


def quantities(store: EpisodeStore, speed: int) -> dict[str, np.ndarray]:
    """What a reward may follow, of each step."""
    before = np.delete(store.obs, np.cumsum(store.lengths + 1) - 1, axis=0)
    left = np.concatenate([np.arange(length)[::-1] for length in store.lengths])
    return {
        "truth": store.rew,
        "speed": before[:, speed],
        "height": before[:, 0],
        "left": np.minimum(left, SOON),
        "late": store.episode_of,
    }


def measure(runs: Path) -> list[list[str]]:
    """A row for each reward that was kept, and for the true one."""
    rows = []
    for world, (env_id, speed) in WORLDS.items():
        store = Locomotion(env_id).held_out
        asked = {name: value.astype(np.float64) for name, value in quantities(store, speed).items()}
        rows.append([world, "truth", "", *_correlations(asked["truth"], asked)])
        for folder in sorted((runs / world).glob("seed?/rewards/*-20")):
            with torch.no_grad():
                paid = store.relabel(load_reward(folder, "cpu")).rew.astype(np.float64)
            seed = folder.parents[1].name.removeprefix("seed")
            rows.append([world, folder.name.removesuffix("-20"), seed, *_correlations(paid, asked)])
    return rows


def _correlations(paid: np.ndarray, asked: dict[str, np.ndarray]) -> list[str]:
    return [f"{spearman(paid, value):.4f}" for value in asked.values()]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown: means over seeds, and their range."""
    found: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for world, method, _, *numbers in rows:
        found[world, method].append([float(number) for number in numbers])
    heads = ["world", "reward", "seeds", "true reward", "speed", "height", "steps left", "later in learning"]
    lines = [heads]
    for (world, method), values in found.items():
        low, mean, high = (np.array(values).min(0), np.array(values).mean(0), np.array(values).max(0))
        cells = [
            f"{m:.2f}" if len(values) < 2 else f"{m:.2f} ({a:.2f} to {b:.2f})"
            for a, m, b in zip(low, mean, high, strict=True)
        ]
        lines.append([world, method, "" if method == "truth" else str(len(values)), *cells])
    return markdown(lines, 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs") / "irl", help="where irl.py keeps its cells"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(args.runs)
    if all(row[1] == "truth" for row in rows):
        parser.error(f"{args.runs} holds no rewards of the runners: run irl.py first, as above")
    write_csv(RESULTS, COLUMNS, rows)
    print(table(rows))
    replace(PAGE, "runners", table(rows))


if __name__ == "__main__":
    main()
