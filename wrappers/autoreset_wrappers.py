"""Wrappers that start an episode inside `step`, such as gymnasium.wrappers.Autoreset.

`AutoresetWrappers`  those of one environment
"""

from typing import Any

import gymnasium as gym

__all__ = ["AutoresetWrappers"]


class AutoresetWrappers:
    """The wrappers of an environment that reset it at the step after the end of an episode.

    These are wrappers with Gymnasium's flag `autoreset`, which is True between the two steps.

    Example:
        >>> env = gym.wrappers.Autoreset(gym.make("CartPole-v1", max_episode_steps=1))
        >>> wrappers = AutoresetWrappers(env)
        >>> _ = env.reset(seed=0)
        >>> wrappers.next_step_resets
        False
        >>> _ = env.step(0)
        >>> wrappers.next_step_resets
        True
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self._wrappers: list[Any] = []
        while isinstance(env, gym.Wrapper):
            if isinstance(vars(env).get("autoreset"), bool):
                self._wrappers.append(env)
            env = env.env

    @property
    def next_step_resets(self) -> bool:
        """True if the next `step` of the environment starts an episode, without a transition."""
        return any(wrapper.autoreset for wrapper in self._wrappers)
