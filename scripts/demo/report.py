"""Report of `rlpriors demo`.

`Outcome`         result of a planner in the simulator
`reward_quality`  comparison of a learned reward with the distance to the goal
`print_report`    table of the planners and instructions
`write_figures`   reward, plans and episodes as pictures
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch.utils.tensorboard import SummaryWriter

from rlpriors.agents import DiffuserPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.point_maze import PointMazeTask
from rlpriors.evaluation.rewards.epic import epic_distance, pearson, spearman
from rlpriors.rewards import RewardModel
from rlpriors.storage.atomic import write_atomically

matplotlib.use("Agg")  # no screen is needed

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["Outcome", "print_report", "reward_quality", "write_figures"]

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


def print_report(results: Mapping[str, Any], run: Path) -> None:
    """Print the tables, the use of the reward and the run's folder."""
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
    console.print(f"{results['seconds']:.0f} seconds. To use the reward in another environment:\n")
    console.print("    from rlpriors.envs.maze.point_maze import make_point_maze", highlight=False)
    console.print("    from rlpriors.wrappers import LearnedReward", highlight=False)
    console.print(
        f'    env = LearnedReward(make_point_maze(), "{run / "reward"}")\n', highlight=False, soft_wrap=True
    )
    console.print(f"Pictures and scalars: tensorboard --logdir {run / 'tensorboard'}", soft_wrap=True)
    console.print(str(run), highlight=False, soft_wrap=True)


def write_figures(
    run: Path,
    policy: DiffuserPolicy,
    reward: RewardModel,
    task: PointMazeTask,
    outcomes: Mapping[str, Outcome],
    seed: int,
) -> None:
    """Draw the reward over the maze, plans and episodes, to PNG and TensorBoard."""
    figures = {
        "reward": _reward_figure(reward, task),
        "plans": _plans_figure(policy, reward, task, seed),
        "episodes": _episodes_figure(task, outcomes),
    }
    with SummaryWriter(str(run / "tensorboard" / "evaluation")) as writer:
        for name, figure in figures.items():
            save = partial(figure.savefig, format="png", dpi=110, bbox_inches="tight")
            write_atomically(run / "figures" / f"{name}.png", save)
            writer.add_figure(name, figure)
        for name, outcome in outcomes.items():
            writer.add_scalar(f"reach/{name}", outcome.reach)
            writer.add_scalar(f"stay/{name}", outcome.stay)


def _reward_figure(reward: RewardModel, task: PointMazeTask) -> Figure:
    xy = task.maze.grid(0.05)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    for ax, values, title in (
        (axes[0], score_at_rest(reward, xy), "learned reward"),
        (axes[1], -task.distance(xy), "minus the distance to the goal"),
    ):
        _draw_maze(ax, task)
        points = ax.scatter(*xy.T, c=values, s=7, marker="s", linewidths=0)
        figure.colorbar(points, ax=ax, shrink=0.8)
        ax.set_title(title)
    return figure


def _plans_figure(policy: DiffuserPolicy, reward: RewardModel, task: PointMazeTask, seed: int) -> Figure:
    policy.reseed(seed)
    starts = np.zeros((16, policy.layout.obs_dim), np.float32)
    starts[:, :2] = np.random.default_rng(seed).permutation(task.maze.grid(0.2, margin=0.2))[:16]
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.8), layout="constrained")
    with torch.no_grad():
        for ax, guide, title in (
            (axes[0], None, "plans of the prior"),
            (axes[1], reward, "plans by the learned reward"),
        ):
            saved, policy.reward = policy.reward, guide
            obs, _ = policy.layout.unpack(policy.plan(starts))
            policy.reward = saved
            _draw_maze(ax, task)
            _draw_paths(ax, obs[..., :2].cpu().numpy())
            ax.set_title(title)
    return figure


def _episodes_figure(task: PointMazeTask, outcomes: Mapping[str, Outcome]) -> Figure:
    figure, axes = plt.subplots(1, len(ROWS), figsize=(3.4 * len(ROWS), 3.8), layout="constrained")
    for ax, (name, label) in zip(axes, ROWS.items(), strict=True):
        outcome = outcomes[name]
        _draw_maze(ax, task)
        rows = range(min(16, outcome.episodes.n_episodes))
        _draw_paths(ax, [outcome.episodes.episode(i).obs[:, :2] for i in rows])
        ax.set_title(f"{label}\nreach {outcome.reach:.2f}, stay {outcome.stay:.2f}", fontsize=9)
    return figure


def _draw_maze(ax: Axes, task: PointMazeTask) -> None:
    rows, columns = task.maze.free.shape
    x, y = columns / 2 * task.maze.scaling, rows / 2 * task.maze.scaling
    ax.imshow(~task.maze.free, cmap="Grays", vmin=0, vmax=2, extent=(-x, x, -y, y))
    ax.plot(*task.goal, marker="*", color="red", markersize=13, zorder=5)
    ax.set_xticks([])
    ax.set_yticks([])


def _draw_paths(ax: Axes, paths: Any) -> None:
    for path in paths:
        ax.plot(*path.T, linewidth=0.9, alpha=0.7)
        ax.plot(*path[0], marker="o", color="black", markersize=2.5)
