"""Cells of the benchmark: one environment, seed, part and method each, stored as one file.

`Cell`          name of a cell, its file and its order
`all_cells`     cells of some environments, seeds, parts and methods, cheap ones first
`run_cell`      run of one cell in this process
`PARTS`         parts of the benchmark
"""

import logging
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.irl.environments.base import IRLEnvironment, Metrics
from benchmarks.irl.environments.registry import make_environment
from benchmarks.irl.experiment import Experiment, MethodResult
from benchmarks.irl.methods import KNOBS, MAIN, METHODS, VARIANTS, Method, chosen_knobs
from rlpriors.agents import DiffuserPolicy
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.training.run_folder import write_json
from rlpriors.types import RewardFn

__all__ = ["FIXED_ACTIONS", "PARTS", "Cell", "all_cells", "run_cell"]

PARTS = ("main", "policy", "policy-changed", "demonstrations", "variants")
FIXED_ACTIONS = "fixed-actions"
"""Cell of the true returns of random actions and of the zero action."""
NO_REWARD = ("unguided", "bc", "diffusion-bc", "sqil", "original-recipe", "original-recipe-all")
"""Methods whose result contains no reward of single steps."""
DEMONSTRATION_METHODS = ("contrastive", "contrastive-full-obs", "relative", "bc", "diffusion-bc")
CHANGED_METHODS = ("oracle", "contrastive", "contrastive-full-obs", "gail", "airl", "drail")


@dataclass(frozen=True)
class Cell:
    """One run of the benchmark."""

    world: str
    seed: int
    part: str
    method: str
    demos: int
    trial: int | None = None
    """Number of the trial of a search; None for the settings that a search chose."""

    @property
    def lane(self) -> tuple[str, int]:
        """World and seed, whose cells run one after the other because they share files."""
        return self.world, self.seed

    @property
    def cost(self) -> tuple[int, float]:
        """Order of the cells: learning first, then policies on the rewards."""
        stage = {"main": 0, "variants": 1, "demonstrations": 1, "policy": 2, "policy-changed": 3}[self.part]
        return stage, METHODS[self.method].cost if self.method in METHODS else 0.0

    @property
    def metric(self) -> str:
        """Metric that every finished cell of this part has."""
        if self.part.startswith("policy"):
            return f"{self.part.replace('-', '_')}_seconds"
        return "progress_pearson" if self.part == "main" and self.method not in NO_REWARD else "seconds"

    def folder(self, runs: Path) -> Path:
        return runs / self.world / f"seed{self.seed}"

    def file(self, runs: Path) -> Path:
        """Return the file of the cell's metrics."""
        suffix = f"_{self.part}" if self.part.startswith("policy") else ""
        if self.trial is not None:
            suffix += f"_trial{self.trial}"
        return self.folder(runs) / f"{self.method}-{self.demos}{suffix}.json"

    def __str__(self) -> str:
        name = f"{self.world} seed {self.seed} {self.part} {self.method}-{self.demos}"
        return name if self.trial is None else f"{name} trial {self.trial}"


def all_cells(
    worlds: Sequence[str],
    seeds: Sequence[int],
    parts: Sequence[str],
    methods: Sequence[str] = (),
    quick: bool = False,
) -> list[Cell]:
    """Return the cells that exist, ordered by cost; `methods` selects some."""
    cells = []
    for world in worlds:
        environment = make_environment(world, quick=quick)
        n = environment.n_demonstrations
        for part in parts:
            for method, demos in _methods(part, environment, n):
                spec = METHODS.get(method)
                if spec is not None and not _fits(spec, environment):
                    continue
                if methods and method not in (*methods, FIXED_ACTIONS):
                    continue
                cells += [Cell(world, seed, part, method, demos) for seed in seeds]
    return sorted(cells, key=lambda cell: cell.cost)


def _methods(part: str, environment: IRLEnvironment, n: int) -> list[tuple[str, int]]:
    if part == "demonstrations":
        return [(method, few) for few in (1, 2, 5) for method in DEMONSTRATION_METHODS if few < n]
    if part in ("main", "variants"):
        return [(method, n) for method in (MAIN if part == "main" else VARIANTS)]
    if environment.policy_budget is None or (part == "policy-changed" and len(environment.changes) < 2):
        return []
    if part == "policy":
        return [
            (FIXED_ACTIONS, n),
            *((method, n) for method in MAIN if method not in (*NO_REWARD, "iq-learn")),
        ]
    return [(method, n) for method in CHANGED_METHODS]


def _fits(method: Method, environment: IRLEnvironment) -> bool:
    if not environment.name.startswith(method.only):
        return False
    if environment.discrete_actions and not method.discrete:
        return False
    return method.reference != "early" or environment.has_early_data


def run_cell(cell: Cell, runs: Path, quick: bool) -> float:
    """Run one cell, write its file and return its seconds."""
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    start = time.monotonic()
    environment = make_environment(cell.world, quick=quick)
    environment.seed = cell.seed
    if cell.trial is not None:
        knobs = KNOBS[cell.method][cell.trial]
    else:
        knobs = chosen_knobs(cell.world, cell.method)
    folder = cell.folder(runs)
    if cell.method == FIXED_ACTIONS:
        metrics = {f"return_{name}": x for name, x in environment.score_fixed_actions(cell.seed).items()}
        metrics["policy_seconds"] = time.monotonic() - start
    else:
        experiment = Experiment(environment, cell.seed, cell.demos, folder, knobs)
        score = score_trained_policy if cell.part.startswith("policy") else score_method
        metrics = score(experiment, cell)
    write_json(cell.file(runs), metrics)
    return time.monotonic() - start


def score_method(experiment: Experiment, cell: Cell) -> Metrics:
    """Run a method, and score its reward and its policy."""
    environment = experiment.environment
    start = time.monotonic()
    result = learn(experiment, cell.method)
    metrics = {"seconds": time.monotonic() - start, "peak_mib": peak_memory_mib(), **result.metrics}
    if result.reward is not None:
        metrics |= environment.score_reward(result.reward, experiment.data)
        metrics |= environment.score_truths(result.reward)
    policy = result.policy
    if policy is None and environment.plans and result.reward is not None:
        planner = experiment.planner()
        planner.reward = result.reward
        policy = planner
    if policy is not None and (environment.plans or not isinstance(policy, DiffuserPolicy)):
        start = time.monotonic()
        metrics |= environment.score_policy(policy, 10_000 + experiment.seed)
        metrics["evaluation_seconds"] = time.monotonic() - start
    return metrics


def learn(experiment: Experiment, method: str) -> MethodResult:
    """Run a method, and save its reward for the policies that are trained on it."""
    result = METHODS[method].learn(experiment)
    if isinstance(result.reward, RewardModel):
        result.reward.save(_reward_folder(experiment, method))
    return result


def _reward_folder(experiment: Experiment, method: str) -> Path:
    return experiment.folder / "rewards" / f"{method}-{experiment.n_demonstrations}"


def score_trained_policy(experiment: Experiment, cell: Cell) -> Metrics:
    """Train a policy from scratch on a method's reward alone, and score its true return."""
    environment, saved = experiment.environment, _reward_folder(experiment, cell.method)
    reward: RewardFn | None
    if cell.method == "oracle":
        reward = environment.oracle()
    else:
        reward = load_reward(saved, "cpu") if saved.exists() else learn(experiment, cell.method).reward
    assert reward is not None
    start = time.monotonic()
    if cell.part == "policy-changed":
        changed = environment.score_changed(reward, experiment.data, cell.seed, environment.changes[1:])
        return changed | {"policy_changed_seconds": time.monotonic() - start}
    metrics = environment.score_trained_policy(
        reward,
        experiment.data,
        cell.seed,
        oracle=cell.method == "oracle",
        keep_zero=experiment.terminates and METHODS[cell.method].from_windows,
    )
    return metrics | {"policy_seconds": time.monotonic() - start}


def peak_memory_mib() -> float:
    """Return the peak memory of this process, with all that it imports; macOS reports bytes, Linux KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
