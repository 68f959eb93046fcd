"""Whole episodes of a policy, for evaluation.

`evaluate_policy`  episodes of a policy, all environments in one batch
`temporary_seed`   fixed seeds for environments and for the generators that Tianshou draws from
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.observations import select_observation

__all__ = ["EnvSource", "evaluate_policy", "temporary_seed"]

EnvSource = Callable[[], gym.Env[Any, Any]] | BaseVectorEnv
"""A function that makes one environment, or a Tianshou vector environment."""


def evaluate_policy(
    policy: Policy,
    env: EnvSource,
    n_episodes: int,
    *,
    seed: int = 0,
    env_seed: int | None = None,
    obs_keys: Sequence[str] | None = None,
) -> EpisodeStore:
    """Collect `n_episodes` whole episodes of `policy`, without exploration.

    A function in `env` is called once per episode; a vector environment is used unchanged and stays
    open.  Rewards are the environment's own.  Actions are in the environment's units.  `env_seed`
    seeds the environments and is derived from `seed` by default.  A policy with a `reseed` method is
    reseeded with `seed`.  `obs_keys` names the leaves of a Dict observation that are stored.

    Raises:
        ValueError: the observations are Dicts and `obs_keys` is missing.
    """
    envs = env if isinstance(env, BaseVectorEnv) else DummyVectorEnv([env] * n_episodes)
    episodes: list[Episode] = []
    reseed: Callable[[int], None] | None = getattr(policy, "reseed", None)
    try:
        with temporary_seed(np.random.SeedSequence(seed), envs), torch.no_grad():
            if env_seed is not None:
                envs.seed(env_seed)
            if reseed is not None:
                reseed(seed)
            while len(episodes) < n_episodes:
                episodes += _round(policy, envs, min(len(envs), n_episodes - len(episodes)), obs_keys)
    finally:
        if envs is not env:
            envs.close()
    return EpisodeStore.from_episodes(episodes)


@contextmanager
def temporary_seed(seeds: np.random.SeedSequence, envs: BaseVectorEnv) -> Iterator[None]:
    """Seed the environments and the global generators; restore the generators afterwards."""
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


def _round(policy: Policy, envs: BaseVectorEnv, n: int, obs_keys: Sequence[str] | None) -> list[Episode]:
    """One episode in each of the first `n` environments."""
    ids = np.arange(n)
    obs, infos = envs.reset(ids)
    state: Any = None
    steps: list[list[tuple[Any, ...]]] = [[] for _ in ids]
    first = _observations(obs, obs_keys)
    while len(ids):
        out = policy(Batch(obs=obs, info=Batch(list(infos))), state)
        acts = policy.map_action(out.act)
        state = out.get("state")
        obs, rew, terminated, truncated, infos = envs.step(acts, ids)
        seen = _observations(obs, obs_keys)
        for row, i in enumerate(ids):
            steps[i].append((seen[row], acts[row], rew[row], terminated[row], truncated[row]))
        going = ~(terminated | truncated)
        ids, obs, infos = ids[going], obs[going], infos[going]
        if isinstance(state, Batch) and not going.all():
            state = state[going]
    episodes = []
    for start, taken in zip(first, steps, strict=True):
        later, act, rew, terminated, truncated = (np.array(part) for part in zip(*taken, strict=True))
        episodes.append(Episode(np.concatenate([start[None], later]), act, rew, terminated, truncated))
    return episodes


def _observations(obs: Any, obs_keys: Sequence[str] | None) -> np.ndarray:
    """Copies of a vector environment's observations, [environments, ...]; Dicts give their chosen leaves."""
    part = Batch(obs=obs).obs
    return select_observation(part.to_dict() if isinstance(part, Batch) else part, obs_keys, 1).copy()
