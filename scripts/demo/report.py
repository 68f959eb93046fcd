"""Report of `rlpriors demo`.

`Outcome`         result of a planner in the simulator
`reward_quality`  comparison of a learned reward with the distance to the goal
`print_report`    table of the planners and instructions
`usage_of_reward`  lines of Python that use the reward
`score_at_rest`   reward of resting at points of the maze
`ROWS`            names of the planners
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.point_maze import PointMazeTask
from rlpriors.evaluation.rewards.epic import epic_distance, pearson, spearman
from rlpriors.rewards import RewardModel

__all__ = ["ROWS", "Outcome", "print_report", "reward_quality", "score_at_rest", "usage_of_reward"]

ROWS = {
    "unguided": "prior alone, no reward",
    "guided": "DiffusionIRL, N = 1",
    "best_of_16": "DiffusionIRL, best of N = 16",
    "oracle": "true distance as reward, best of N = 16",
}


@dataclass(frozen=True)
class Outcome:
    """Result of a planner in the simulator."""

    reach: float
    """Fraction of episodes that reach the goal."""
    stay: float
    """Fraction of episodes that are at the goal in all of their last steps."""
    episodes: EpisodeStore
    """The episodes."""


def reward_quality(
    reward: RewardModel, task: PointMazeTask, data: EpisodeStore, *, seed: int, gamma: float = 0.99
) -> dict[str, float]:
    """Compare a learned reward with the negative distance to the goal.

    `spearman` and `pearson` are correlations over a regular grid of the maze, at rest.  `spearman_data` and
    `pearson_data` are correlations over transitions of the data, and `epic` is the EPIC distance over them.
    """
    rng = np.random.default_rng(seed)
    grid = task.maze.grid(0.1, margin=0.1)
    on_grid, truth = score_at_rest(reward, grid), -task.distance(grid)
    steps = rng.choice(data.n_steps, size=min(2000, data.n_steps), replace=False)
    transitions = data.transitions(steps)
    on_data = reward.score(*(part.numpy() for part in transitions))
    truth_data = -task.distance(transitions.obs[:, :2].numpy())
    obs_steps, act_steps = rng.choice(data.n_steps, size=(2, 256))
    device = reward.device
    epic = epic_distance(
        reward,
        task.oracle(),
        type(transitions)(*(part.to(device) for part in transitions)),
        canonical_obs=data.transitions(obs_steps).obs.to(device),
        canonical_act=data.transitions(act_steps).act.to(device),
        gamma=gamma,
    )
    return {
        "spearman": spearman(on_grid, truth),
        "pearson": pearson(on_grid, truth),
        "spearman_data": spearman(on_data, truth_data),
        "pearson_data": pearson(on_data, truth_data),
        "epic": epic,
    }


def score_at_rest(reward: RewardModel, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
    """Return the reward of resting at each point: zero velocity, zero action, the same next position."""
    obs = np.zeros((len(xy), reward.obs_dim), np.float32)
    obs[:, :2] = xy
    return reward.score(obs, np.zeros((len(xy), reward.act_dim), np.float32), obs)


def usage_of_reward(run: Path) -> tuple[str, ...]:
    """Return lines of Python that use the reward."""
    return (
        "from rlpriors.envs.maze.point_maze import make_point_maze",
        "from rlpriors.wrappers import LearnedReward",
        f'env = LearnedReward(make_point_maze(), "{run / "reward"}")',
    )


def print_report(results: Mapping[str, Any], run: Path, verdict: str) -> None:
    """Print the tables, the verdict of the report, the use of the reward and the run's folder."""
    console = Console(markup=False, emoji=False)  # a folder's name may look like markup
    table = Table(title=f"Closed loop in the simulator (seed {results['seed']})")
    table.add_column("plans by")
    table.add_column("reach", justify="right")
    table.add_column("stay", justify="right")
    for name, label in ROWS.items():
        table.add_row(label, f"{results[f'reach_{name}']:.2f}", f"{results[f'stay_{name}']:.2f}")
    console.print(table)
    quality = Table(
        title=f"The learned reward ({results['reward_inputs']}) against minus the distance to the goal"
    )
    for column in ("over", "Spearman", "Pearson", "EPIC distance"):
        quality.add_column(column, justify="left" if column == "over" else "right")
    quality.add_row("a grid of the maze", f"{results['spearman']:.3f}", f"{results['pearson']:.3f}", "")
    quality.add_row(
        "the data",
        f"{results['spearman_data']:.3f}",
        f"{results['pearson_data']:.3f}",
        f"{results['epic']:.3f}",
    )
    console.print(quality)
    console.print(f"Without the true reward: {verdict} (report.md)", soft_wrap=True)
    console.print(f"{results['seconds']:.0f} seconds. To use the reward in another environment:\n")
    for line in usage_of_reward(run):
        console.print(f"    {line}", highlight=False, soft_wrap=True)
    console.print("\nFor your own environment: rlpriors learn-reward --env <id> --demos <file>")
    console.print(f"Pictures and scalars: tensorboard --logdir {run / 'tensorboard'}", soft_wrap=True)
    console.print(str(run), highlight=False, soft_wrap=True)
