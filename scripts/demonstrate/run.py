"""Demonstrations as frames: `rlpriors demonstrate`.

`demonstrate`    an expert's episodes into a `FrameStore`, and what they are worth
`play`           whole episodes of any player
`random_player`  one that acts evenly at random
`returns_of`     what the episodes of a store were worth
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from tqdm import tqdm

from rlpriors.data.episodes import Episode
from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.envs.experts import Player, find_expert, replay
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.training.run_folder import write_json

__all__ = ["demonstrate", "play", "random_player", "returns_of"]


def demonstrate(settings: DemonstrateSettings, *, folder: Path | None = None, progress: bool = True) -> Path:
    """Record an expert, say what it is worth, and return the folder.

    Beside the frames lies `demonstrations.json`: the settings, and the returns of the expert and of
    random play.

    Args:
        settings: who plays what.
        folder: where the frames go, demos/<env> by default; it must be new.
        progress: show a bar.

    Raises:
        ValueError: there is no such environment or expert, or `folder` exists.
    """
    world = PixelEnvSpec(settings.env, settings.size, settings.steps)
    folder = folder or Path("demos") / world.name
    if settings.recording is None:
        expert = find_expert(world)
        episodes = play(world, expert, settings.episodes, settings.seed, noise=settings.noise)
    else:
        episodes = replay(world, settings.recording, settings.episodes)
    returns = []
    with FrameWriter(folder) as writer:
        for episode in _bar(episodes, settings.episodes, "expert", progress):
            writer.add(episode)
            returns.append(float(episode.rew.sum()))
    others = play(world, random_player(settings.seed), settings.random_episodes, settings.seed + 1)
    others = _bar(others, settings.random_episodes, "random", progress)
    found = {"expert": _summary(returns), "random": _summary([float(e.rew.sum()) for e in others])}
    plain = {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
    }
    write_json(folder / "demonstrations.json", {"settings": plain, **found})
    say = Console(highlight=False, soft_wrap=True).print
    for name, numbers in found.items():
        say(
            f"{name}: return {numbers['mean']:.2f} ± {numbers['std']:.2f} over {numbers['episodes']} "
            f"episodes of at most {settings.steps} steps"
        )
    say(f"{writer.store}: {folder}", markup=False)
    return folder


def play(
    world: PixelEnvSpec, make_player: Callable[[], Player], n_episodes: int, seed: int, *, noise: float = 0.0
) -> Iterator[Episode]:
    """Whole episodes, one after the other; rewards are the environment's own.

    With `noise` that part of the actions is drawn at random, and the player's are told all the same.
    """
    chances = np.random.default_rng(seed)
    env = world.make()
    if noise:
        env.action_space.seed(seed)
    try:
        for number in range(n_episodes):
            frame, _ = env.reset(seed=seed if number == 0 else None)
            player, frames, steps, over = make_player(), [frame], [], False
            while not over:
                chosen = player(env)
                done = env.action_space.sample() if noise and chances.random() < noise else chosen
                frame, paid, terminated, truncated, _ = env.step(done)
                frames.append(frame)
                steps.append((chosen, float(paid), terminated, truncated))
                over = terminated or truncated
            act, rew, *ends = (np.array(column) for column in zip(*steps, strict=True))
            yield Episode(np.array(frames), act, rew.astype(np.float32), ends[0], ends[1])
    finally:
        env.close()


def random_player(seed: int) -> Callable[[], Player]:
    """Makes players that draw from the action space, all from one stream."""
    seeded: list[bool] = []

    def act(env: gym.Env[Any, Any]) -> Any:
        if not seeded:
            env.action_space.seed(seed)
            seeded.append(True)
        return env.action_space.sample()

    return lambda: act


def returns_of(store: FrameStore) -> np.ndarray | None:
    """What each episode of a store was worth; None where it has no rewards."""
    if "rew" not in store.arrays:
        return None
    return np.array([store.episode(i, "rew")[:-1].sum() for i in range(store.n_episodes)], np.float64)


def _bar(episodes: Iterator[Episode], total: int, name: str, progress: bool) -> "tqdm[Episode]":
    return tqdm(episodes, total=total, desc=name, unit="episode", disable=not progress)


def _summary(returns: list[float]) -> dict[str, float]:
    return {
        "mean": float(np.mean(returns)),
        "std": float(np.std(returns)),
        "low": min(returns),
        "high": max(returns),
        "episodes": len(returns),
    }
