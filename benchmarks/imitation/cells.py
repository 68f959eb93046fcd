"""Cells of the imitation benchmark: one run of `rlpriors imitate` each.

`Budget`           amount of data and training of a cell
`cells`            grid of methods, modes and augmentations, with the controls
`run_seed`         all unfinished cells of an environment and a seed
`collect_results`  rows of the csv from the folders of finished cells
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells import add_rows, read_cells
from benchmarks.tables import read_csv
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.random_frames import collect_random_episodes
from rlpriors.scripts.demonstrate.run import demonstrate
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.scripts.imitate.run import imitate
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.training.run_folder import check_settings
from rlpriors.worker_pool import WorkerPool

__all__ = ["COLUMNS", "METHODS", "MODES", "QUICK", "Budget", "Cell", "cells", "collect_results", "run_seed"]

COLUMNS = ("env", "method", "mode", "augment", "seed", "return", "normalized", "seconds")
METHODS = ("dynamics", "inverse-dynamics", "simclr", "temporal-cpc", "vae", "byol", "atc")
"""The five methods of EIRLI, and two later ones."""
MODES = ("pretrain", "joint")
AUGMENTATIONS = "translate+gaussian-blur"
"""EIRLI's without rotation, which hides how a pole leans, and without color changes.

Color changes cost more time than the network does.
"""
CHEETAH = Path(__file__).parents[1] / "data" / "halfcheetah-v5-expert.safetensors"


@dataclass(frozen=True)
class Budget:
    """Amount of data and training of a cell."""

    demos: int = 20
    noise: float = 0.1
    steps: int = 100
    random_steps: int = 1000
    updates: int = 600
    batch_size: int = 32
    representation_updates: int = 400
    representation_batch: int = 32
    episodes: int = 20


QUICK = Budget(2, 0.0, 20, 40, 4, 4, 2, 4, 2)

Cell = tuple[str, str, bool]
"""Method, mode, and whether the images of behavior cloning are augmented."""


def cells(methods: Sequence[str]) -> list[Cell]:
    """Return the grid, with the controls first."""
    controls: list[Cell] = [("none", "scratch", augment) for augment in (True, False)]
    return controls + [(method, mode, a) for method in methods for mode in MODES for a in (True, False)]


def cell_folder(seed_folder: Path, cell: Cell) -> Path:
    """Return the run folder of a cell."""
    method, mode, augment = cell
    return seed_folder / f"{mode}-{method}-{'augmented' if augment else 'plain'}"


def prepare_data(env: str, seed: int, folder: Path, budget: Budget) -> None:
    """Record the demonstrations and random frames of a seed, unless they exist."""
    spec = PixelEnvSpec(env, max_episode_steps=budget.steps)
    recording = CHEETAH if spec.name == "halfcheetah" else None
    settings = DemonstrateSettings(
        env,
        budget.demos,
        budget.steps,
        action_noise=0.0 if recording else budget.noise,
        seed=seed,
        recording=recording,
        n_random_episodes=budget.episodes,
    )
    summary = folder / "demos" / "demonstrations.json"
    if not summary.exists():
        demonstrate(settings, folder=folder / "demos", progress=False)
    check_settings(summary.parent, json.loads(summary.read_text())["settings"], settings)
    collect_random_episodes(spec, budget.random_steps, folder / "random", 50_000 + seed)


def cell_settings(env: str, seed: int, cell: Cell, folder: Path, budget: Budget) -> ImitateSettings:
    """Return the settings of a cell's run."""
    method, mode, augment = cell
    return ImitateSettings(
        env,
        folder / "demos",
        mode=mode,
        method=method,
        augment=augment,
        augmentations=AUGMENTATIONS,
        max_episode_steps=budget.steps,
        updates=budget.updates,
        checkpoint_every=max(1, budget.updates // 3),
        batch_size=budget.batch_size,
        representation_updates=budget.representation_updates,
        representation_batch=budget.representation_batch,
        frames=folder / "random",
        random_steps=budget.random_steps,
        n_episodes=budget.episodes,
        device="cpu",
        seed=seed,
    )


def run_cell(settings: ImitateSettings, run: Path) -> float:
    """Run one cell and return its seconds."""
    start = time.monotonic()
    imitate(settings, folder=run, resume=(run / "settings.json").exists())
    return time.monotonic() - start


def is_finished(run: Path, settings: ImitateSettings) -> bool:
    """Return whether a run folder holds the results of a cell.

    Raises:
        ValueError: the results are those of other settings.
    """
    if not (run / "results.json").exists():
        return False
    check_settings(run, json.loads((run / "settings.json").read_text()), settings)
    return True


def run_seed(
    env: str, seed: int, methods: tuple[str, ...], runs: Path, budget: Budget, results: Path | None
) -> None:
    """Run all unfinished cells of an environment and a seed, each in a process of its own.

    Cells with a row in `results` count as finished.
    """
    folder = runs / env / f"seed{seed}"
    recorded = set() if results is None else {tuple(row[:5]) for row in read_csv(results)}
    unfinished = {
        cell_folder(folder, cell): cell_settings(env, seed, cell, folder, budget)
        for cell in cells(methods)
        if (env, cell[0], cell[1], yes_or_no(cell[2]), str(seed)) not in recorded
    }
    unfinished = {run: settings for run, settings in unfinished.items() if not is_finished(run, settings)}
    if unfinished:
        with WorkerPool(1) as pool:
            pool.submit(prepare_data, env, seed, folder, budget).result()
    for run, settings in unfinished.items():
        with WorkerPool(1) as pool:
            seconds = pool.submit(run_cell, settings, run).result()
        mean_return = json.loads((run / "results.json").read_text())["return"]
        print(f"{env} seed {seed} {run.name}: {mean_return:.2f}, {seconds:.0f} s", flush=True)


def yes_or_no(augment: bool) -> str:
    """Return the entry of the csv for `augment`."""
    return "yes" if augment else "no"


def collect_results(runs: Path, results: Path) -> None:
    """Add the results in the run folders to the csv; development seeds are left out."""
    rows = []
    for content in read_cells(runs, "*/seed*/*/results.json"):
        if content["seed"] < 100:
            names = (content[name] for name in ("env", "method", "mode"))
            values = (content[name] for name in ("return", "normalized", "seconds"))
            numbers = ("" if value is None else f"{value:.6g}" for value in values)
            rows.append([*names, yes_or_no(content["augment"]), str(content["seed"]), *numbers])
    add_rows(results, COLUMNS, rows, key=lambda row: tuple(row[:5]))
