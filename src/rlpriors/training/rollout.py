"""Rollouts of a policy, for evaluation.

`evaluate_policy`   whole episodes of a policy, all environments in one batch
`evaluate_returns`  only the returns of these episodes
`temporary_seed`    fixed seeds for environments and for the generators that Tianshou draws from
`EnvSource`         type of an environment's factory or of a vector environment
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.env import BaseVectorEnv, DummyVectorEnv

from rlpriors.agents.validation import check_spaces
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.episode_limit import MAX_EPISODE_STEPS, check_episode_ends
from rlpriors.spaces import wrapped_spaces
from rlpriors.training.episode_statistics import EpisodeRecord, RecordEpisodeReturns

__all__ = ["EnvSource", "evaluate_policy", "evaluate_returns", "temporary_seed"]

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
    max_episode_steps: int = MAX_EPISODE_STEPS,
) -> EpisodeStore:
    """Collect `n_episodes` whole episodes of `policy`, without exploration.

    A function in `env` is called once per episode; a vector environment is used unchanged and stays
    open.  Rewards are the environment's own.  Actions are in the environment's units.  `env_seed`
    seeds the environments and is derived from `seed` by default.  A policy with a `reseed` method is
    reseeded with `seed`.  `obs_keys` names the leaves of a Dict observation that are stored.
    `max_episode_steps` bounds the wait for an environment without a time limit.

    Raises:
        ValueError: the policy does not fit the environment's spaces, wrappers included, the observations are
            Dicts and `obs_keys` is missing, or an episode is longer than `max_episode_steps`.
    """
    envs = env if isinstance(env, BaseVectorEnv) else DummyVectorEnv([env] * n_episodes)
    space = wrapped_spaces(envs).action
    episodes: list[Episode] = []
    try:
        with _evaluation(policy, envs, seed, env_seed):
            while len(episodes) < n_episodes:
                recorder = _EpisodeRecorder(obs_keys)
                n = min(len(envs), n_episodes - len(episodes))
                _rollout(policy, envs, n, max_episode_steps, recorder)
                episodes += recorder.episodes()
    finally:
        if envs is not env:
            envs.close()
    store = EpisodeStore.from_episodes(episodes, action_space=space)
    return replace(store, obs_layout=recorder.layout)


def evaluate_returns(
    policy: Policy,
    envs: BaseVectorEnv,
    n_episodes: int,
    *,
    seed: int = 0,
    max_episode_steps: int = MAX_EPISODE_STEPS,
) -> list[EpisodeRecord]:
    """Return both returns of `n_episodes` whole episodes of `policy`, without exploration.

    No observation is stored, which image observations would need much memory for.  Seeds are those of
    `evaluate_policy`; `envs` stays open.

    Raises:
        ValueError: the policy does not fit the environment's spaces, wrappers included, or an episode is
            longer than `max_episode_steps`.
    """
    recorder = RecordEpisodeReturns(envs)
    with _evaluation(policy, recorder, seed):
        while len(recorder.finished) < n_episodes:
            n = min(len(recorder), n_episodes - len(recorder.finished))
            _rollout(policy, recorder, n, max_episode_steps)
    return recorder.finished


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


@contextmanager
def _evaluation(
    policy: Policy, envs: BaseVectorEnv, seed: int, env_seed: int | None = None
) -> Iterator[None]:
    """Seed environments, generators and policy for an evaluation without gradients."""
    reseed: Callable[[int], None] | None = getattr(policy, "reseed", None)
    check_spaces(policy, envs)
    with temporary_seed(np.random.SeedSequence(seed), envs), torch.no_grad():
        if env_seed is not None:
            envs.seed(env_seed)
        if reseed is not None:
            reseed(seed)
        yield


class _EpisodeRecorder:
    """Transitions of a rollout, by environment."""

    def __init__(self, obs_keys: Sequence[str] | None) -> None:
        self.obs_keys = obs_keys
        self.layout: ObservationLayout | None = None
        self.initial_obs: list[np.ndarray] = []
        self.steps: list[list[tuple[Any, ...]]] = []

    def reset(self, obs: Any) -> None:
        self.layout = ObservationLayout.of(_tree(obs), self.obs_keys, batch_dims=1)
        self.initial_obs = list(_observations(obs, self.obs_keys))
        self.steps = [[] for _ in self.initial_obs]

    def step(self, ids: np.ndarray, obs_next: Any, *columns: np.ndarray) -> None:
        obs_next = _observations(obs_next, self.obs_keys)
        for row, i in enumerate(ids):
            self.steps[i].append((obs_next[row], *(column[row] for column in columns)))

    def episodes(self) -> list[Episode]:
        episodes = []
        for start, rows in zip(self.initial_obs, self.steps, strict=True):
            later, act, rew, terminated, truncated = (np.array(column) for column in zip(*rows, strict=True))
            episodes.append(Episode(np.concatenate([start[None], later]), act, rew, terminated, truncated))
        return episodes


def _rollout(
    policy: Policy,
    envs: BaseVectorEnv,
    n: int,
    max_episode_steps: int,
    recorder: _EpisodeRecorder | None = None,
) -> None:
    """Run one episode in each of the first `n` environments."""
    ids = np.arange(n)
    obs, infos = envs.reset(ids)
    state: Any = None
    n_steps = 0
    if recorder is not None:
        recorder.reset(obs)
    while len(ids):
        out = policy(Batch(obs=obs, info=Batch(list(infos))), state)
        acts = policy.map_action(out.act)
        state = out.get("state")
        obs, rew, terminated, truncated, infos = envs.step(acts, ids)
        if recorder is not None:
            recorder.step(ids, obs, acts, rew, terminated, truncated)
        running = ~(terminated | truncated)
        ids, obs, infos = ids[running], obs[running], infos[running]
        if isinstance(state, Batch) and not running.all():
            state = state[running]
        n_steps += 1
        if len(ids):
            check_episode_ends(n_steps, max_episode_steps)


def _observations(obs: Any, obs_keys: Sequence[str] | None) -> np.ndarray:
    """Return copies of observations, [environments, ...]; the leaves `obs_keys` of Dict observations."""
    return select_observation(_tree(obs), obs_keys, 1).copy()


def _tree(obs: Any) -> Any:
    batch = Batch(obs=obs).obs
    return batch.to_dict() if isinstance(batch, Batch) else batch
