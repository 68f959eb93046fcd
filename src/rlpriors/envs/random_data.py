"""Data of random actions in any environment.

`collect_random`  episodes of random actions, as an `EpisodeStore`
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.rollout import Step, iterate_episode, sticky_actions

__all__ = ["collect_random"]

LONGEST = 1000
"""Number of steps after which an episode of an environment without a time limit is cut."""


def collect_random(
    make_env: Callable[[], gym.Env[Any, Any]],
    n_steps: int,
    *,
    seed: int,
    obs_keys: Sequence[str] | None = None,
    progress: bool = True,
) -> EpisodeStore:
    """Return at least `n_steps` steps of whole episodes with random actions.

    Episodes alternate between independent actions, which stay near the start, and actions that are repeated
    for 1 to 8 steps, which reach more states.  Episodes are cut after 1000 steps.

    Args:
        make_env: returns the environment, which is closed at the end; its actions are Box or Discrete.
        n_steps: number of steps.
        seed: seed of the environment and of the actions.
        obs_keys: leaves of Dict observations; None for all leaves, sorted.
        progress: True to show a progress bar.

    Raises:
        ValueError: `n_steps` is below 1, or the actions are neither Box nor Discrete.

    Example:
        >>> collect_random(lambda: gym.make("CartPole-v1"), 50, seed=0, progress=False).n_steps >= 50
        True
    """
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1. Received {n_steps}.")
    env = make_env()
    rng = np.random.default_rng(seed)
    episodes: list[Episode] = []
    collected = 0
    try:
        env.action_space.seed(seed)
        with tqdm(total=n_steps, desc="collect", unit="step", disable=not progress) as bar:
            while collected < n_steps:
                obs, _ = env.reset(seed=seed if not episodes else None)
                sticky = sticky_actions(env.action_space, rng)
                repeats = len(episodes) % 2 == 1
                steps = list(iterate_episode(env, obs, _actions(env, sticky if repeats else None), LONGEST))
                episodes.append(_episode(obs, steps))
                bar.update(min(len(steps), n_steps - collected))
                collected += len(steps)
        return EpisodeStore.from_episodes(episodes, obs_keys, env.action_space)
    finally:
        env.close()


def _actions(env: gym.Env[Any, Any], sticky: Iterator[Any] | None) -> Callable[[Any], Any]:
    if sticky is None:
        return lambda obs: env.action_space.sample()
    return lambda obs: next(sticky)


def _episode(first: Any, steps: Sequence[Step]) -> Episode:
    act, rew, terminated, truncated = (
        np.array([getattr(step, name) for step in steps])
        for name in ("act", "rew", "terminated", "truncated")
    )
    return Episode(_stack([first, *(step.obs_next for step in steps)]), act, rew, terminated, truncated)


def _stack(observations: Sequence[Any]) -> Any:
    """Return observations as one array, or as a nested dictionary of arrays."""
    if isinstance(observations[0], Mapping):
        return {name: _stack([obs[name] for obs in observations]) for name in observations[0]}
    return np.array(observations)
