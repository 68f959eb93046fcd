"""Frame stacks that an environment's own wrappers make.

`observes_stack`  True if the first axis of an environment's observations is a stack of frames
"""

from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.wrappers import FrameStackObservation

from rlpriors.wrappers.env_kind import envpool_config

__all__ = ["observes_stack"]


def observes_stack(env: Any) -> bool:
    """Return True if a known wrapper stacks frames along the first axis of each observation.

    These are FrameStackObservation, ale_py's AtariVectorEnv and EnvPool's gray Atari games, under wrappers
    that leave the space unchanged.  `env` is an environment, or a vector environment of Gymnasium or
    Tianshou.  Environments in other processes are not searched.

    Example:
        >>> env = gym.make("CartPole-v1")
        >>> observes_stack(env), observes_stack(FrameStackObservation(env, 4))
        (False, True)
    """
    while "venv" in vars(env):  # Tianshou
        if "single_observation_space" in vars(env):
            return False
        env = env.venv
    if "workers" in vars(env):
        env = getattr(env.workers[0], "env", None)
    while isinstance(env, VectorWrapper):
        if env.single_observation_space != env.env.single_observation_space:
            return False
        env = env.env
    if env is not None:  # environments in other processes
        env = vars(env).get("envpool", env)  # Tianshou's adapter
    if isinstance(env, VectorEnv):
        config = envpool_config(env)
        if config is not None:  # in color, the frames are merged into the channels
            return bool(config.get("stack_num", 1) > 1 and config.get("gray_scale", False))
        if type(env).__module__.startswith("ale_py."):
            return True
        envs = getattr(env, "envs", None) or [None]
        first: Any = envs[0]
        if not isinstance(first, gym.Env) or first.observation_space != env.single_observation_space:
            return False
        env = first
    while isinstance(env, gym.Wrapper):
        if isinstance(env, FrameStackObservation):
            return True
        if env.observation_space != env.env.observation_space:
            return False
        env = env.env
    return False
