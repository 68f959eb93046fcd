"""Collection of Atari frames with the console's RAM, for probing and pretraining.

`collect_atari`  frames of random policies in a `FrameStore`, with several workers and resumption
`Collector`      programs that step the games

The store has the arrays `ram` [128], `act` (an index into the game's minimal action set), `rew` (not
clipped), `terminated` and `truncated`.
"""

import json
import multiprocessing
import shutil
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import asdict
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from tqdm import tqdm

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.envpool_games import collect_envpool_games, envpool_task
from rlpriors.envs.atari.game import AtariGame, AtariSettings, rom_names
from rlpriors.envs.atari.ram_annotations import game_name
from rlpriors.storage.atomic import write_text_atomically
from rlpriors.worker_pool import WorkerPool

__all__ = ["Collector", "collect_atari"]

Collector = Literal["ale_py", "envpool"]
"""Programs that step the games."""

SETTINGS = "atari.json"
PLAN_KEYS = {"image_size": "size", "noop_max": "max_waiting", "n_envs": "environments"}
"""Keys of `atari.json` that differ from the field of `AtariSettings`."""


def collect_atari(
    game: str,
    n_steps: int,
    seed: int,
    folder: str | Path,
    settings: AtariSettings | None = None,
    *,
    n_workers: int = 1,
    progress: bool = True,
    collector: Collector = "ale_py",
) -> FrameStore:
    """Write `n_steps` steps of random policies in `game` to a new store at `folder`, or open a matching one.

    The store depends on `game`, `n_steps`, `seed` and `settings`, not on the number of processes `n_workers`.
    The `settings.n_envs` games are written one after the other.  A stopped run keeps its finished games in a
    hidden folder next to `folder`; the next call resumes with the others.

    The collector "envpool" (`pip install envpool`) steps all games together, with `n_workers` threads; its
    run starts anew after a stop.  Frames and RAM have the same meaning, but the episodes are others: EnvPool
    has random numbers of its own, and presses FIRE once at the beginning of an episode.  `atari.json` in the
    store names this collector.

    Raises:
        ValueError: there is no such game, `folder` holds frames of other settings, or EnvPool is not
            installed.
    """
    if collector not in get_args(Collector):
        raise ValueError(f"`collector` must be one of {list(get_args(Collector))}. Received {collector!r}.")
    settings = AtariSettings() if settings is None else settings
    rom = game_name(game, rom_names())
    if n_steps < settings.n_envs or n_workers < 1:
        raise ValueError(
            f"`n_steps` must be at least {settings.n_envs}, the number of environments `n_envs`, and "
            f"`n_workers` at least 1. Received {n_steps} and {n_workers}."
        )
    folder = Path(folder)
    fields = {PLAN_KEYS.get(name, name): value for name, value in asdict(settings).items()}
    plan = json.loads(json.dumps({"game": rom, "steps": n_steps, "seed": seed, **fields}))
    if collector != "ale_py":  # the only one of stores without the entry
        plan["collector"] = collector
        envpool_task(rom)
    text = json.dumps(plan, indent=2) + "\n"
    parts = folder.with_name(f".{folder.name}.parts")
    if folder.exists():
        _check_plan(folder, plan)
        shutil.rmtree(parts, ignore_errors=True)  # of a run that was stopped at its end
        return FrameStore.open(folder)
    if (parts / SETTINGS).exists():
        _check_plan(parts, plan)
    write_text_atomically(parts / SETTINGS, text)

    shares = [len(share) for share in np.array_split(np.arange(n_steps), settings.n_envs)]
    jobs = [
        (rom, share, seed, number, parts / str(number), settings)
        for number, share in enumerate(shares)
        if not (parts / str(number)).exists()
    ]
    done = n_steps - sum(job[1] for job in jobs)
    with tqdm(total=n_steps, initial=done, desc=game, unit="step", disable=not progress) as bar:
        if collector == "envpool" and jobs:
            for number in range(settings.n_envs):
                shutil.rmtree(parts / str(number), ignore_errors=True)
            bar.reset(n_steps)
            folders = [parts / str(number) for number in range(settings.n_envs)]
            collect_envpool_games(rom, shares, seed, folders, settings, n_workers, bar.update)
        elif n_workers == 1:
            for job in jobs:
                _collect_game(*job, tick=bar.update)
        else:
            _collect_in_workers(jobs, n_workers, bar)
    with FrameWriter(folder, {SETTINGS: text}) as writer:
        for number in range(settings.n_envs):
            part = FrameStore.open(parts / str(number))
            for episode in range(part.n_episodes):
                rows = {name: part.episode(episode, name) for name in part.arrays}
                writer.add_episode(part.episode(episode), **rows)
    shutil.rmtree(parts)
    return FrameStore.open(folder)


def _collect_game(
    rom: str,
    n_steps: int,
    seed: int,
    number: int,
    folder: Path,
    settings: AtariSettings,
    tick: Callable[[int], Any] | None = None,
) -> None:
    """Write the steps of one game to its own store."""
    tick = _tick if tick is None else tick
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    game = AtariGame(rom, int(rng.integers(2**31)), settings)
    with FrameWriter(folder) as writer:
        done, action = True, 0
        for step in range(n_steps):
            if done:
                game.begin()
            if settings.policy == "random" or done or rng.random() >= settings.stickiness:
                action = int(rng.integers(len(game.actions)))
            frame, ram = game.frame(), game.ram()
            rew, terminated, truncated = game.step(action)
            truncated = truncated or (step + 1 == n_steps and not terminated)
            row = {"act": action, "rew": np.float32(rew), "terminated": terminated, "truncated": truncated}
            writer.append(frame, ram=ram, **row)
            done = terminated or truncated
            if done:  # the last frame of the episode, from which no step was taken
                no_step = {"act": 0, "rew": np.float32(0), "terminated": False, "truncated": False}
                writer.append(game.frame(), ram=game.ram(), **no_step)
                writer.end_episode()
            tick(1)


_counter: "Synchronized[int] | None" = None


def _tick(count: int) -> None:
    if _counter is not None:
        with _counter.get_lock():
            _counter.value += count


def _share_counter(counter: "Synchronized[int]") -> None:
    global _counter
    _counter = counter


def _collect_in_workers(jobs: list[tuple[Any, ...]], n_workers: int, bar: Any) -> None:
    spawn = multiprocessing.get_context("spawn")  # a forked child inherits locks of torch's threads
    counter = spawn.Value("q", 0)
    with WorkerPool(n_workers, _share_counter, (counter,), spawn) as pool:
        running = {pool.submit(_collect_game, *job) for job in jobs}
        shown = 0
        while running:
            finished, running = wait(running, timeout=0.5)
            bar.update(counter.value - shown)
            shown = counter.value
            for future in finished:
                future.result()


def _check_plan(folder: Path, plan: dict[str, Any]) -> None:
    """Raise an error if `folder` holds frames of another plan."""
    try:
        saved = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`folder` must be new, or hold frames that `collect_atari` wrote. Received {str(folder)!r} "
            f"({type(error).__name__}: {error})."
        ) from error
    if {"collector"} & (plan.keys() | saved.keys()):
        plan, saved = {"collector": "ale_py", **plan}, {"collector": "ale_py", **saved}
    differences = [name for name in plan if saved.get(name) != plan[name]]
    if differences:
        values = ", ".join(f"{name}={saved.get(name)!r} (now {plan[name]!r})" for name in differences)
        raise ValueError(f"{folder} was collected with {values}. Choose another folder, or remove it.")
