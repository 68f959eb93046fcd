"""Demonstrations of a scripted expert, written as a user would.

`record`         whole episodes in a .npz file, and their mean return
`random_return`  mean return of random actions
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = ["random_return", "record"]


def record(
    path: Path, env: gym.Env[Any, Any], act: Callable[[Any], Any], n_episodes: int, seed: int = 0
) -> float:
    """Write whole episodes of an expert as the arrays obs, act, lengths and terminated; return their mean
    return.

    Args:
        path: .npz file.
        env: environment with Box or Dict observations.
        act: expert, a function of the observation.
        n_episodes: number of episodes.
        seed: seed of the first episode; the next ones follow.
    """
    observations: list[Any] = []
    actions: list[Any] = []
    lengths, ends, total = [], [], 0.0
    for number in range(n_episodes):
        obs, _ = env.reset(seed=seed + number)
        observations.append(obs)
        ended, terminated, first = False, False, len(actions)
        while not ended:
            actions.append(act(obs))
            obs, reward, terminated, truncated, _ = env.step(actions[-1])
            observations.append(obs)
            total, ended = total + float(reward), terminated or truncated
        lengths.append(len(actions) - first)
        ends.append(terminated)
    columns: dict[str, Any] = {"act": np.array(actions), "lengths": lengths, "terminated": ends}
    if isinstance(observations[0], dict):
        for key in observations[0]:
            columns[f"obs/{key}"] = np.array([row[key] for row in observations])
    else:
        columns["obs"] = np.array(observations)
    np.savez(path, **columns)
    return total / n_episodes


def random_return(env: gym.Env[Any, Any], n_episodes: int, seed: int) -> float:
    """Return the mean return of random actions."""
    env.action_space.seed(seed)
    total = 0.0
    for number in range(n_episodes):
        env.reset(seed=seed + number)
        ended = False
        while not ended:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total, ended = total + float(reward), terminated or truncated
    return total / n_episodes
