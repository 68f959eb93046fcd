"""Letting a policy act.

`act`     whole episodes of a policy, for evaluation
`seeded`  the generators that Tianshou draws from, seeded for a while
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.data.episodes import Episode, EpisodeStore

__all__ = ["EnvSource", "act", "seeded"]

EnvSource = Callable[[], gym.Env[Any, Any]] | BaseVectorEnv


def act(policy: Policy, make_env: EnvSource, n_episodes: int, *, seed: int = 0) -> EpisodeStore:
    """Let `policy` act in `n_episodes` whole episodes, without exploring.

    They run side by side, one in each environment where `make_env` makes one.  The rewards are
    the environment's own, and the actions what it was given.
    """
    envs = make_env if isinstance(make_env, BaseVectorEnv) else DummyVectorEnv([make_env] * n_episodes)
    episodes: list[Episode] = []
    seeds = np.random.SeedSequence(seed)
    try:
        with seeded(seeds, envs), torch.no_grad():
            while len(episodes) < n_episodes:
                episodes += _round(policy, envs, min(len(envs), n_episodes - len(episodes)))
    finally:
        if envs is not make_env:
            envs.close()
    return EpisodeStore.from_episodes(episodes)


@contextmanager
def seeded(seeds: np.random.SeedSequence, envs: BaseVectorEnv) -> Iterator[None]:
    """Seed the environments and the generators that Tianshou draws from, and put these back after."""
    env_seed, torch_seed, numpy_seed = (int(s) % 2**31 for s in seeds.generate_state(3))
    envs.seed(env_seed)
    before = np.random.get_state()  # noqa: NPY002 (Tianshou's exploration draws from there)
    with torch.random.fork_rng():
        torch.manual_seed(torch_seed)
        np.random.seed(numpy_seed)  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002


def _round(policy: Policy, envs: BaseVectorEnv, n: int) -> list[Episode]:
    """One episode in each of the first `n` environments."""
    ids = np.arange(n)
    obs, infos = envs.reset(ids)
    state: Any = None
    steps: list[list[tuple[Any, ...]]] = [[] for _ in ids]
    first = obs.copy()
    while len(ids):
        out = policy(Batch(obs=obs, info=Batch(list(infos))), state)
        acts = policy.map_action(out.act)
        state = out.get("state")
        obs, rew, terminated, truncated, infos = envs.step(acts, ids)
        for row, i in enumerate(ids):
            steps[i].append((obs[row].copy(), acts[row], rew[row], terminated[row], truncated[row]))
        going = ~(terminated | truncated)
        ids, obs, infos = ids[going], obs[going], infos[going]
        if isinstance(state, Batch) and not going.all():
            state = state[going]
    episodes = []
    for start, taken in zip(first, steps, strict=True):
        seen, act, rew, terminated, truncated = (np.array(part) for part in zip(*taken, strict=True))
        episodes.append(Episode(np.concatenate([start[None], seen]), act, rew, terminated, truncated))
    return episodes
