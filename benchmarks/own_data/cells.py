"""Cells of the benchmark: one command in one environment with one seed.

`Task`      environment and expert
`run_cell`  demonstrations, the command, and its numbers
`learn`     `rlpriors learn-reward` in a process of its own
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

from benchmarks.own_data.demonstrations import random_return, record
from rlpriors.training.run_folder import write_json

__all__ = ["N_DEMONSTRATIONS", "Task", "learn", "run_cell"]

N_DEMONSTRATIONS, N_RANDOM = 20, 100
FILE = "cell.json"


class Task(NamedTuple):
    """Environment and expert."""

    env_id: str
    """Id of the environment, with its module."""
    make: Callable[[], gym.Env[Any, Any]]
    """Function that makes the environment."""
    act: Callable[[Any], Any]
    """Scripted expert, a function of the observation."""
    title: str
    """Actions and observations in words."""


def run_cell(task: Task, seed: int, folder: Path, *arguments: str) -> dict[str, Any]:
    """Return the numbers of a cell, which is run unless its folder has them.

    Seeds of demonstrations and of random actions follow from `seed`.

    Args:
        task: environment and expert.
        seed: random seed.
        folder: folder of the cell; a cell that was stopped starts again.
        arguments: further arguments of the command; none in the benchmark.
    """
    file = folder / FILE
    if file.exists():
        return dict(json.loads(file.read_text()))
    if folder.exists():
        shutil.rmtree(folder)  # a stopped cell: the time of a resumed command would be too short
    folder.mkdir(parents=True)
    demos = folder / "demos.npz"
    shown = record(demos, task.make(), task.act, N_DEMONSTRATIONS, seed=1000 * seed)
    random = random_return(task.make(), N_RANDOM, seed=1000 * seed + 500)
    run, seconds, cpu_seconds = learn(task.env_id, demos, seed, folder / "run", *arguments)
    results = json.loads((run / "results.json").read_text())
    reached = results["trained"]["true_return"]
    numbers = {
        "demonstrations": shown,
        "random": random,
        "policy": reached,
        "fraction": (reached - random) / (shown - random),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
    }
    content = {"numbers": numbers, "verdict": results["verdict"], "levels": results["levels"]}
    write_json(file, content)
    return content


def learn(env_id: str, demos: Path, seed: int, run: Path, *arguments: str) -> tuple[Path, float, float]:
    """Run `rlpriors learn-reward` with its defaults; return its folder, seconds and CPU seconds.

    Args:
        env_id: id of the environment.
        demos: demonstrations.
        seed: random seed.
        run: folder of the run.
        arguments: further arguments.
    """
    words = ["--env", env_id, "--demos", str(demos), "--seed", str(seed), "--device", "cpu"]
    words += ["--folder", str(run), *arguments]
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (run.parent / f"{run.name}.log").open("a") as log:
        command = [sys.executable, "-m", "rlpriors.scripts.main", "learn-reward", *words]
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return run, time.monotonic() - started, cpu
