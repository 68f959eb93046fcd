"""Pictures of `rlpriors demo`: the reward over the maze, plans and episodes.

`write_figures`    pictures at the end of the run
`pictures_of`      reward and plans over the training of the reward
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from PIL import Image

from rlpriors.agents import DiffuserPolicy
from rlpriors.envs.maze.point_maze import PointMazeTask
from rlpriors.rewards import RewardModel
from rlpriors.scripts.demo.report import ROWS, Outcome, score_at_rest
from rlpriors.storage.atomic import write_atomically
from rlpriors.training.tracking.animation import Flipbook, gif_bytes
from rlpriors.training.tracking.figures import figure_image, panel
from rlpriors.training.tracking.run_tracker import RunTracker
from rlpriors.types import RewardFn

__all__ = ["pictures_of", "write_figures"]

N_PATHS = 16
N_FRAMES, FPS = 24, 6  # pictures of the animated episodes


def pictures_of(
    reward: RewardModel, *, policy: DiffuserPolicy, task: PointMazeTask, folder: Path, length: int, seed: int
) -> Mapping[str, Flipbook]:
    """Return the pictures of a reward and of plans by it over its training, by their tags.

    Args:
        reward: reward that is trained, by which the policy plans.
        policy: planning policy.
        task: the maze.
        folder: folder of the pictures.
        length: number of updates of the training.
        seed: seed of starts and plans.
    """

    def draw_reward() -> np.ndarray:
        return figure_image(panel("learned reward", partial(_reward, reward, task)))

    def draw_plans() -> np.ndarray:
        paths = _plan(policy, reward, task, seed)
        return figure_image(panel("plans by the reward", partial(_maze, task, paths)))

    return {
        "pictures/reward_over_training": Flipbook(
            folder / "reward_over_training", draw_reward, length=length
        ),
        "pictures/plans_over_training": Flipbook(folder / "plans_over_training", draw_plans, length=length),
    }


def write_figures(
    run: Path,
    policy: DiffuserPolicy,
    reward: RewardModel,
    task: PointMazeTask,
    outcomes: Mapping[str, Outcome],
    seed: int,
    tracker: RunTracker,
) -> None:
    """Draw the reward, plans and episodes, to PNG files and to the tracker, where each panel is a picture."""
    panels = {
        "reward": {
            "learned": ("learned reward", partial(_reward, reward, task)),
            "distance": ("minus the distance", partial(_distance, task)),
        },
        "plans": {
            "prior": ("plans of the prior", partial(_maze, task, _plan(policy, None, task, seed))),
            "reward": ("plans by the reward", partial(_maze, task, _plan(policy, reward, task, seed))),
        },
        "episodes": {
            name: (f"{label}: {outcomes[name].stay:.0%} stay", partial(_maze, task, _paths(outcomes[name])))
            for name, label in SHORT.items()
        },
    }
    with closing(tracker.writer("evaluation")) as writer:
        for name, draws in panels.items():
            images = {key: figure_image(panel(title, draw)) for key, (title, draw) in draws.items()}
            row = Image.fromarray(np.concatenate(list(images.values()), axis=1))
            write_atomically(run / "figures" / f"{name}.png", partial(row.save, format="PNG"))
            for key, image in images.items():
                writer.image(f"pictures/{name}_{key}", image)
        writer.animation("pictures/episodes_animated", _animate(task, outcomes["best_of_16"]))


SHORT = dict(zip(ROWS, ("prior", "N = 1", "best of 16", "true reward"), strict=True))
"""Short names of the planners, for titles."""


def _plan(policy: DiffuserPolicy, guide: RewardFn | None, task: PointMazeTask, seed: int) -> Any:
    """Return the positions of plans from random starts."""
    starts = np.zeros((N_PATHS, policy.layout.obs_dim), np.float32)
    starts[:, :2] = np.random.default_rng(seed).permutation(task.maze.grid(0.2, margin=0.2))[:N_PATHS]
    saved = policy.reward, policy.planner
    policy.reward, policy.planner = guide, replace(policy.planner, n_candidates=1)
    policy.reseed(seed)
    try:
        with torch.no_grad():
            obs, _ = policy.layout.unpack(policy.plan(starts))
    finally:
        policy.reward, policy.planner = saved
    return obs[..., :2].cpu().numpy()


def _paths(outcome: Outcome) -> list[np.ndarray]:
    return [outcome.episodes.episode(i).obs[:, :2] for i in range(min(N_PATHS, outcome.episodes.n_episodes))]


def _animate(task: PointMazeTask, outcome: Outcome) -> bytes:
    """Return episodes as an animated GIF: the places of all at the same time."""
    paths = _paths(outcome)
    length = max(map(len, paths))
    frames = [
        figure_image(panel(f"episodes, step {step}", partial(_places, task, paths, step)), dpi=70)
        for step in np.linspace(0, length - 1, min(N_FRAMES, length)).astype(int).tolist()
    ]
    return gif_bytes(frames, fps=FPS)


def _places(task: PointMazeTask, paths: list[np.ndarray], step: int, ax: Axes) -> None:
    _draw_maze(ax, task)
    for number, path in enumerate(paths):
        trail = path[max(0, step - 12) : step + 1] if step < len(path) else path[-1:]
        ax.plot(*trail.T, color=f"C{number % 10}", linewidth=2)
        ax.plot(*trail[-1], marker="o", color=f"C{number % 10}", markersize=7)


def _reward(reward: RewardModel, task: PointMazeTask, ax: Axes) -> None:
    xy = task.maze.grid(0.05)
    _draw_values(ax, task, xy, score_at_rest(reward, xy))


def _distance(task: PointMazeTask, ax: Axes) -> None:
    xy = task.maze.grid(0.05)
    _draw_values(ax, task, xy, -task.distance(xy))


def _draw_values(ax: Axes, task: PointMazeTask, xy: np.ndarray, values: np.ndarray) -> None:
    _draw_maze(ax, task)
    points = ax.scatter(xy[:, 0], xy[:, 1], c=values, s=14, marker="s", linewidths=0)
    ax.figure.colorbar(points, ax=ax, shrink=0.7)


def _maze(task: PointMazeTask, paths: Any, ax: Axes) -> None:
    _draw_maze(ax, task)
    for path in paths:
        ax.plot(*path.T, linewidth=1.2, alpha=0.7)
        ax.plot(*path[0], marker="o", color="black", markersize=4)


def _draw_maze(ax: Axes, task: PointMazeTask) -> None:
    rows, columns = task.maze.free.shape
    x, y = columns / 2 * task.maze.scaling, rows / 2 * task.maze.scaling
    ax.imshow(~task.maze.free, cmap="Grays", vmin=0, vmax=2, extent=(-x, x, -y, y))
    edge = 0.7 * task.maze.scaling  # most of the outer walls is cut off
    ax.set_xlim(-x + edge, x - edge)
    ax.set_ylim(-y + edge, y - edge)
    ax.plot(*task.goal, marker="*", color="red", markersize=18, zorder=5)
    ax.set_xticks([])
    ax.set_yticks([])
