"""Cells of the policy benchmark: one training each, and its evaluations.

`COLUMNS`   columns of the csv
`METHODS`   methods of each environment
`Budget`    sizes of trainings and evaluations
`Cell`      environment, method, number of demonstrations and seed
`run_cell`  one training, and its values
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.policies.cloning import WithGoal, fit_clone
from benchmarks.policies.mazes import MAZES, MazeWorld
from benchmarks.policies.pushing import PUSHES, PushWorld
from benchmarks.policies.speed import ms_per_action, updates_per_second
from benchmarks.policies.worlds import Detour, Phase, record_detour, record_phase
from rlpriors.agents import BESO, BehaviorCloning, CosineSchedule, ScorePolicy, ScoreSettings
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy

__all__ = ["COLUMNS", "METHODS", "Budget", "Cell", "run_cell"]

COLUMNS = ("env", "method", "demos", "seed", "metric", "value")

METHODS: dict[str, tuple[str, ...]] = {
    "umaze": ("cloning", "beso", "beso-undropped", "beso-past"),
    "ring": ("cloning", "beso", "beso-undropped", "beso-past"),
    "fetchpush": ("cloning", "beso", "beso-undropped"),
    "detour": ("cloning", "beso"),
    "phase": ("no-past", "past-observations", "past-actions-given", "past-tokens"),
    "speed": ("actions", "embeddings"),
}
"""Methods of each environment.  A training of `beso` is evaluated with several settings."""

WORLDS: dict[str, MazeWorld | PushWorld] = {**MAZES, **PUSHES}
"""Environments with new goals."""

Values = list[tuple[str, str, float]]
"""Method, metric and value of each result."""


class Budget(NamedTuple):
    """Sizes of trainings and evaluations."""

    updates: int = 6000
    """Number of updates in a maze and of pushing."""
    small_updates: int = 1500
    """Number of updates in the other environments."""
    n_episodes: int = 40
    """Number of episodes of an evaluation."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the environment, of `METHODS`."""
    method: str
    """One of the environment's methods."""
    demos: int
    """Number of demonstrations; 0 for the environment's default."""
    seed: int
    """Random seed of demonstrations, training and evaluation."""
    budget: Budget
    """Sizes of trainings and evaluations."""

    @property
    def n_demos(self) -> int:
        """Number of demonstrations."""
        defaults = {"umaze": 80, "ring": 80, "fetchpush": 200, "detour": 40, "phase": 200, "speed": 1}
        return self.demos or defaults[self.env]

    @property
    def file(self) -> str:
        """Name of the file of the cell's results."""
        return (
            f"{self.env}-{self.method}-{self.n_demos}-seed{self.seed}-{'-'.join(map(str, self.budget))}.json"
        )


def run_cell(cell: Cell, runs: Path) -> Values:
    """Train and evaluate; an interrupted training continues from its checkpoint in `runs`."""
    torch.set_num_threads(1)
    evaluations: dict[str, Callable[[Cell, Path], Values]] = {
        "detour": _detour,
        "phase": _phase,
        "speed": _speed,
    }
    return evaluations.get(cell.env, _goals)(cell, runs)


def _goals(cell: Cell, runs: Path) -> Values:
    world = WORLDS[cell.env]
    data = world.data(cell.n_demos, cell.seed, runs)
    goals = world.goals(cell.budget.n_episodes, cell.seed)
    if cell.method == "cloning":
        clone = fit_clone(data, world.action_space, 2, cell.seed)
        _train(
            BehaviorCloning(policy=clone.policy, optim=_optim(cell), seed=cell.seed), clone.data, cell, runs
        )
        found = {cell.method: world.evaluate(partial(WithGoal, clone.policy), goals, cell.seed)}
        if isinstance(world, PushWorld):
            found["demonstrations"] = world.shown(data)
        return [(name, *row) for name, values in found.items() for row in values.items()]
    settings = ScoreSettings(
        history=4 if cell.method == "beso-past" else 0,
        goal_dropout=0.0 if cell.method == "beso-undropped" else 0.1,
    )
    policy = ScorePolicy.fit(
        data,
        world.action_space,
        settings=settings,
        task_entries=(0, 1),
        obs_keys=world.obs_keys,
        device="cpu",
        seed=cell.seed,
    )
    _train(BESO(policy=policy, optim=_optim(cell), seed=cell.seed), data, cell, runs)

    def toward(goals: Float[np.ndarray, "n 2"]) -> Policy:
        policy.reach(goals)
        return policy

    variants: dict[str, dict[str, Any]] = {
        cell.method: {},
        f"{cell.method}-1-steps": {"n_steps": 1},
        f"{cell.method}-20-steps": {"n_steps": 20},
    }
    if settings.goal_dropout:
        variants[f"{cell.method}-guided"] = {"n_steps": settings.n_steps, "guidance": 1.0}
    values: Values = []
    for name, changed in variants.items():
        policy.set_sampling(**changed)
        values += [(name, *row) for row in world.evaluate(toward, goals, cell.seed).items()]
    return values


def _detour(cell: Cell, runs: Path) -> Values:
    data = record_detour(cell.n_demos, cell.seed)
    goal = np.array([1.0, 0.0], np.float32)
    policy: Policy
    if cell.method == "cloning":
        clone = fit_clone(data, Detour.action_space, 2, cell.seed)
        _train(
            BehaviorCloning(policy=clone.policy, optim=_optim(cell), seed=cell.seed), clone.data, cell, runs
        )
        policy = WithGoal(clone.policy, goal[None])
    else:
        score = ScorePolicy.fit(
            data,
            Detour.action_space,
            settings=ScoreSettings(history=4),
            device="cpu",
            seed=cell.seed,
        )
        _train(BESO(policy=score, optim=_optim(cell), seed=cell.seed), data, cell, runs)
        score.reach(goal)
        policy = score
    episodes = evaluate_policy(policy, Detour, 2 * cell.budget.n_episodes, seed=cell.seed)
    success, above = [], []
    for i in range(episodes.n_episodes):
        episode = episodes.episode(i)
        success.append(episode.rew[-1] > 0)
        above.append(episode.obs[np.abs(episode.obs[:, 0]).argmin(), 1] > 0)
    reached, up = np.array(success), np.array(above)
    collided = episodes.terminated[np.cumsum(episodes.lengths) - 1] & ~reached
    numbers = {
        "success": reached.mean(),
        "collision": collided.mean(),
        "above": (reached & up).mean(),
        "below": (reached & ~up).mean(),
    }
    return [(cell.method, name, float(value)) for name, value in numbers.items()]


def _phase(cell: Cell, runs: Path) -> Values:
    data = record_phase(cell.n_demos, cell.seed)
    past: Any = {"past-observations": "hidden", "past-actions-given": "given"}.get(cell.method, "predicted")
    history = 0 if cell.method == "no-past" else 8
    settings = ScoreSettings(history=history, horizon=4, past_actions=past)
    policy = ScorePolicy.fit(
        data, Phase.action_space, goals=False, settings=settings, device="cpu", seed=cell.seed
    )
    _train(BESO(policy=policy, optim=_optim(cell), seed=cell.seed), data, cell, runs)
    variants: dict[str, dict[str, Any]] = {cell.method: {}}
    if cell.method == "past-tokens":
        variants["past-tokens-verified"] = {"candidates": 16}
    values: Values = []
    for name, changed in variants.items():
        policy.set_sampling(**changed)
        right = evaluate_policy(policy, Phase, cell.budget.n_episodes, seed=cell.seed).rew
        each = right.reshape(-1, Phase.length).mean(1)
        values += [(name, "accuracy", float(each.mean())), (name, "above-0.9", float((each > 0.9).mean()))]
    return values


def _speed(cell: Cell, runs: Path) -> Values:
    if cell.method == "embeddings":
        return [(name, "updates_per_s", value) for name, value in updates_per_second(runs).items()]
    return [(f"beso-{n}-steps", "ms_per_action", ms_per_action(n)) for n in (1, 3, 10, 50)]


def _optim(cell: Cell) -> Any:
    schedule = CosineSchedule(_n_updates(cell), warm_up=2)
    lr = 1e-3 if cell.env in WORLDS else 2e-3
    return AdamOptimizerFactory(lr=lr).with_lr_scheduler_factory(schedule)


def _n_updates(cell: Cell) -> int:
    return cell.budget.updates if cell.env in WORLDS else cell.budget.small_updates


def _train(algorithm: Any, data: EpisodeStore, cell: Cell, runs: Path) -> None:
    n_updates = _n_updates(cell)
    train_offline(
        algorithm,
        to_buffer(data),
        folder=runs / Path(cell.file).stem,
        name="policy",
        n_updates=n_updates,
        batch_size=256,
        epoch_updates=min(500, n_updates),
        resume=True,
        tracker="csv",
    )
