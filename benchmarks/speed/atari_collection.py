"""Frames per second of Atari games: EnvPool against single games, in one run.

    pip install envpool
    python -m benchmarks.speed.atari_collection

Random actions in Pong; no frame is written.  The cases, for each size of the frames and number of games:

`single games`     `AtariGame`s of ale_py, stepped one after the other: `collect_atari` with one process
`gymnasium`        `SyncVectorEnv` of gym.make("ALE/Pong-v5") with AtariPreprocessing (84x84 only)
`envpool`          one EnvPool, by its number of threads

A step is four emulated frames and gives one gray observation and the console's RAM (Gymnasium: no RAM).
Cases take turns in every round, so that other load on the machine slows all of them.  The table shows medians
over rounds; ratios are to `single games`.  The rows replace those of this machine in
`results/atari_collection.csv`, or in the file of `--csv`.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import AtariPreprocessing

from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.envs.atari.game import AtariGame, AtariSettings
from rlpriors.envs.make import make_env

RESULTS = Path(__file__).parents[1] / "results" / "atari_collection.csv"
COLUMNS = ["machine", "case", "size", "n_envs", "frames_per_s", "ratio_to_single"]
Job = Callable[[int], Any]
"""Function that steps all games this many times."""


def single_games(size: tuple[int, int] | None, n_envs: int) -> Job:
    """Return a job of games of ale_py, one after the other."""
    games = [AtariGame("pong", seed, AtariSettings(image_size=size)) for seed in range(n_envs)]
    rng = np.random.default_rng(0)
    for game in games:
        game.begin()

    def run(n_steps: int) -> None:
        for _ in range(n_steps):
            for game in games:
                _, terminated, truncated = game.step(int(rng.integers(6)))
                game.frame(), game.ram()
                if terminated or truncated:
                    game.begin()

    return run


def gymnasium_games(n_envs: int) -> Job:
    """Return a job of Gymnasium's environments with its preprocessing, 84x84."""

    def make() -> gym.Env[Any, Any]:
        return AtariPreprocessing(make_env("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0))

    return _vector_job(SyncVectorEnv([make] * n_envs), n_envs)


def envpool_games(size: tuple[int, int] | None, n_envs: int, n_threads: int) -> Job:
    """Return a job of EnvPool."""
    import envpool

    height, width = (210, 160) if size is None else size
    env = envpool.make(
        "Pong-v5",
        env_type="gymnasium",
        num_envs=n_envs,
        num_threads=n_threads,
        stack_num=1,
        img_height=height,
        img_width=width,
    )
    return _vector_job(env, n_envs)


def _vector_job(env: Any, n_envs: int) -> Job:
    rng = np.random.default_rng(0)
    env.reset()

    def run(n_steps: int) -> None:
        for _ in range(n_steps):
            env.step(rng.integers(6, size=n_envs))

    return run


def make_jobs(size: tuple[int, int] | None, n_envs: int, threads: list[int]) -> dict[str, Job]:
    """Return the jobs by case."""
    jobs = {"single games": single_games(size, n_envs)}
    if size == (84, 84):
        jobs["gymnasium"] = gymnasium_games(n_envs)
    for n_threads in threads:
        jobs[f"envpool, {n_threads} thread(s)"] = envpool_games(size, n_envs, n_threads)
    return jobs


def measure_rates(jobs: dict[str, Job], n_envs: int, n_steps: int, rounds: int) -> dict[str, float]:
    """Return the median frames per second of each case, over rounds in which the cases take turns."""
    rates: dict[str, list[float]] = {case: [] for case in jobs}
    for number in range(rounds + 1):  # one to warm up
        for case, job in jobs.items():
            start = time.perf_counter()
            job(n_steps)
            if number:
                rates[case].append(n_steps * n_envs / (time.perf_counter() - start))
    return {case: statistics.median(values) for case, values in rates.items()}


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write the csv."""
    parser: argparse.ArgumentParser = make_parser(__doc__)
    cores = os.cpu_count() or 1
    parser.add_argument("--n-envs", type=int, nargs="+", default=[8, 16], help="numbers of games")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="*",
        default=sorted({1, cores}),
        help="EnvPool's numbers of threads; none leaves it out",
    )
    parser.add_argument("--steps", type=int, default=60, help="number of steps of each game in a round")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    parser.add_argument("--csv", type=Path, default=RESULTS, help="file for the table")
    settings = parser.parse_args(arguments)
    machine = f"{platform.machine()}, {cores} cores"
    rows = []
    print(f"{machine}\n{'case':24s} {'size':>8s} {'games':>5s} {'frames/s':>10s} {'ratio':>8s}")
    for size in (None, (84, 84)):
        for n_envs in settings.n_envs:
            jobs = make_jobs(size, n_envs, settings.threads)
            rates = measure_rates(jobs, n_envs, settings.steps, settings.rounds)
            name = "210x160" if size is None else f"{size[0]}x{size[1]}"
            for case, rate in rates.items():
                ratio = rate / rates["single games"]
                rows.append([machine, case, name, n_envs, round(rate, 1), round(ratio, 3)])
                print(f"{case:24s} {name:>8s} {n_envs:5d} {rate:10.1f} {ratio:8.2f}", flush=True)
    other_machines = [row for row in read_csv(settings.csv) if row[0] != machine]
    write_csv(settings.csv, COLUMNS, [*other_machines, *rows])


if __name__ == "__main__":
    main()
