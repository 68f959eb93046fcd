"""Episodes of a policy under growing action noise, graded by the noise.

`collect_graded`  graded episodes for the preference degree and for D-REX
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.agents.preferences.graded import GradedEpisodes
from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.control_experts import mix_random
from rlpriors.envs.rollout import EnvPolicy, rollout

__all__ = ["NOISE", "collect_graded"]

NOISE = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of random actions of the grades, from the best to the worst."""


@check_arguments
def collect_graded(
    make_env: Callable[[], gym.Env[Any, Any]],
    make_policy: Callable[[], EnvPolicy],
    n_episodes: int,
    length: int,
    seed: int = 0,
    noise: Sequence[float] = NOISE,
) -> GradedEpisodes:
    """Return episodes of a policy, a part of whose actions is random: less noise is a higher grade.

    The policy may be a scripted expert or a replay of demonstrations.  It need not be good: the grades only
    state that noise makes it worse.

    Args:
        make_env: function that returns the environment, which is closed at the end; `FlatObservation` makes
            vectors of Dict observations.
        make_policy: function that returns the policy of one episode.
        n_episodes: number of episodes of each grade.
        length: number of steps of a graded segment.
        seed: seed of environments and noise.
        noise: fraction of random actions of each grade, from 0 to 1, increasing.

    Raises:
        ValueError: an argument is out of bounds, or a grade has no episode of `length` steps.

    Example:
        >>> graded = collect_graded(
        ...     lambda: gym.make("CartPole-v1"), lambda: lambda env: int(env.unwrapped.state[2] > 0),
        ...     n_episodes=2, length=4, noise=(0.0, 1.0))
        >>> graded.grades.tolist()  # 1 without noise
        [1, 1, 0, 0]
    """
    if n_episodes < 1:
        raise ValueError(f"`n_episodes` must be at least 1. Received {n_episodes}.")
    if len(noise) < 2 or list(noise) != sorted(set(noise)) or not 0 <= noise[0] <= noise[-1] <= 1:
        raise ValueError(
            f"`noise` must be at least two increasing fractions from 0 to 1. Received {tuple(noise)}."
        )
    env = make_env()
    space = env.action_space
    env.close()
    episodes = []
    for number, fraction in enumerate(noise):
        own = int(np.random.SeedSequence((seed, number)).generate_state(1)[0]) % 2**31
        noisy = mix_random(make_policy, fraction, fraction, np.random.default_rng(own))
        episodes += list(rollout(partial(_seeded, make_env, own), noisy, n_episodes, own))
    store = EpisodeStore.from_episodes(episodes, action_space=space)
    grades = np.repeat(np.arange(len(noise))[::-1], n_episodes)
    return GradedEpisodes(store, grades, length)


def _seeded(make_env: Callable[[], gym.Env[Any, Any]], seed: int) -> gym.Env[Any, Any]:
    """Return an environment whose random actions depend on the seed."""
    env = make_env()
    env.action_space.seed(seed)
    return env
