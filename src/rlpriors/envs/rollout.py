"""Rollouts of a policy in a single environment.

`EnvPolicy`        policy that reads the environment itself
`Step`             one environment step
`iterate_episode`  steps of one episode
`rollout`          whole episodes of an `EnvPolicy`
`random_policy`    uniformly random actions
`sticky_actions`   random actions, each repeated for 1 to 8 steps

`rlpriors.training.rollout` evaluates Tianshou policies in vector environments.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import Episode
from rlpriors.episode_limit import check_episode_ends

__all__ = ["EnvPolicy", "Step", "iterate_episode", "random_policy", "rollout", "sticky_actions"]

EnvPolicy = Callable[[gym.Env[Any, Any]], Any]
"""Policy that maps an environment, including its hidden state, to an action.

One object acts for one episode."""


class Step(NamedTuple):
    """One environment step."""

    obs: Any
    """Observation before the step."""
    act: Any
    """Action."""
    rew: float
    """Reward of the environment."""
    obs_next: Any
    """Observation after the step."""
    terminated: bool
    """True where the episode ended by the rules of the environment."""
    truncated: bool
    """True where the episode was cut, by the environment or by `max_episode_steps`."""


def iterate_episode(
    env: gym.Env[Any, Any], obs: Any, act: Callable[[Any], Any], max_episode_steps: int | None = None
) -> Iterator[Step]:
    """Yield the steps of the episode that `env.reset` began with `obs`.

    Args:
        env: the environment, just reset.
        obs: the observation that `env.reset` returned.
        act: maps an observation to an action.
        max_episode_steps: number of steps after which the episode is truncated; None for the environment's
            own limit.

    Raises:
        ValueError: without `max_episode_steps`, the episode has no end after 108,000 steps.

    Example:
        >>> env = gym.make("CartPole-v1")
        >>> obs, _ = env.reset(seed=0)
        >>> [step.truncated for step in iterate_episode(env, obs, lambda obs: 0, max_episode_steps=3)]
        [False, False, True]
    """
    n_steps, done = 0, False
    while not done:
        action = act(obs)
        obs_next, rew, terminated, truncated, _ = env.step(action)
        n_steps += 1
        truncated = bool(truncated) or (n_steps == max_episode_steps and not terminated)
        yield Step(obs, action, float(rew), obs_next, bool(terminated), truncated)
        obs, done = obs_next, terminated or truncated
        if not done and max_episode_steps is None:
            check_episode_ends(n_steps)


def rollout(
    make_env: Callable[[], gym.Env[Any, Any]],
    make_policy: Callable[[], EnvPolicy],
    n_episodes: int,
    seed: int,
    *,
    action_noise: float = 0.0,
) -> Iterator[Episode]:
    """Yield `n_episodes` whole episodes, with the rewards of the environment.

    Args:
        make_env: returns the environment, which is closed at the end.
        make_policy: returns the policy of one episode.
        n_episodes: number of episodes.
        seed: seed of the environment and of the action noise.
        action_noise: fraction of steps in [0, 1) at which a random action is executed.  The episodes
            record the action of the policy for these steps, too.

    Example:
        >>> episodes = rollout(lambda: gym.make("CartPole-v1"), lambda: lambda env: 0, n_episodes=2, seed=0)
        >>> [bool(episode.terminated[-1]) for episode in episodes]
        [True, True]
    """
    rng = np.random.default_rng(seed)
    env = make_env()
    if action_noise:
        env.action_space.seed(seed)
    try:
        for number in range(n_episodes):
            obs, _ = env.reset(seed=seed if number == 0 else None)
            policy, observations = make_policy(), [obs]
            acts: list[Any] = []

            def act(obs: Any, policy: EnvPolicy = policy, acts: list[Any] = acts) -> Any:
                acts.append(policy(env))
                return env.action_space.sample() if action_noise and rng.random() < action_noise else acts[-1]

            steps = []
            for step in iterate_episode(env, obs, act):
                observations.append(step.obs_next)
                steps.append(step[2:3] + step[4:])
            rew, terminated, truncated = (np.array(column) for column in zip(*steps, strict=True))
            yield Episode(
                np.array(observations), np.array(acts), rew.astype(np.float32), terminated, truncated
            )
    finally:
        env.close()


def random_policy(seed: int) -> Callable[[], EnvPolicy]:
    """Return a factory of policies that sample the action space uniformly, all from one random stream."""
    seeded: list[bool] = []

    def act(env: gym.Env[Any, Any]) -> Any:
        if not seeded:
            env.action_space.seed(seed)
            seeded.append(True)
        return env.action_space.sample()

    return lambda: act


def sticky_actions(space: gym.Space[Any], rng: np.random.Generator) -> Iterator[Any]:
    """Yield random actions of a Box or Discrete space, each for 1 to 8 steps.

    Repeated actions reach more states than independent ones.
    """
    while True:
        n_steps = int(rng.integers(1, 9))
        if isinstance(space, gym.spaces.Discrete):
            action: Any = int(space.start + rng.integers(space.n))
        elif isinstance(space, gym.spaces.Box):
            action = rng.uniform(space.low, space.high).astype(np.float32)
        else:
            raise ValueError(
                f"`action_space` must be Box or Discrete. Received {space}; wrap the environment in "
                "gymnasium.wrappers.TransformAction with a function that numbers its actions as Discrete."
            )
        for _ in range(n_steps):
            yield action
