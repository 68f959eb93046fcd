"""Command `rlpriors demonstrate`: an expert's episodes as frames.

`demonstrate`      the command
`episode_returns`  return of each episode of a store
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from rich.console import Console
from tqdm import tqdm

from rlpriors.data.episodes import Episode
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.envs.experts import find_expert, replay
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.rollout import random_policy, rollout
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.training.run_folder import write_json

__all__ = ["demonstrate", "episode_returns"]


def demonstrate(settings: DemonstrateSettings, *, folder: Path | None = None, progress: bool = True) -> Path:
    """Record an expert as frames, compare it with a random policy, and return the folder.

    `demonstrations.json` in the folder holds the settings and the returns of both policies.

    Args:
        settings: settings of the command.
        folder: new folder of the frames; `demos/<env>` by default.
        progress: show a progress bar.

    Raises:
        ValueError: there is no such environment or expert, or `folder` exists.
    """
    spec = PixelEnvSpec(settings.env, settings.image_size, settings.max_episode_steps)
    folder = folder or Path("demos") / spec.name
    n, n_random, seed = settings.n_episodes, settings.n_random_episodes, settings.seed
    if settings.recording is None:
        expert = find_expert(spec)
        episodes = rollout(spec.make, expert, n, seed, action_noise=settings.action_noise)
    else:
        episodes = replay(spec, settings.recording, n)
    expert_returns = []
    with FrameWriter(folder) as writer:
        for episode in _bar(episodes, n, "expert", progress):
            writer.add(episode)
            expert_returns.append(float(episode.rew.sum()))
    random_episodes = rollout(spec.make, random_policy(seed), n_random, seed + 1)
    random_returns = [float(e.rew.sum()) for e in _bar(random_episodes, n_random, "random", progress)]
    summaries = {"expert": _summary(expert_returns), "random": _summary(random_returns)}
    saved_settings = {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()
    }
    write_json(folder / "demonstrations.json", {"settings": saved_settings, **summaries})
    say = Console(highlight=False, soft_wrap=True).print
    for name, numbers in summaries.items():
        say(
            f"{name}: return {numbers['mean']:.2f} ± {numbers['std']:.2f} over {numbers['episodes']} "
            f"episodes of at most {settings.max_episode_steps} steps"
        )
    say(f"{writer.store}: {folder}", markup=False)
    return folder


def episode_returns(store: FrameStore) -> Float64[np.ndarray, " episodes"] | None:
    """Return the return of each episode of a store; None for a store without rewards."""
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
