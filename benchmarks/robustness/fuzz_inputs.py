"""Valid arguments for the functions under test.

`Target`       a function, its valid arguments and its kind
`is_optional`  True for parameters that may be None
`takes_number` True for parameters that may be numbers
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch

from rlpriors import data, encoders, evaluation, rewards
from rlpriors.types import Transition

__all__ = ["BOX", "DISCRETE", "RNG", "STATES", "Target", "is_optional", "takes_number"]

RNG = np.random.default_rng(0)
BOX, DISCRETE = gym.spaces.Box(-1, 1, (1,)), gym.spaces.Discrete(2)


@dataclass(frozen=True)
class Target:
    """A function or a class under test."""

    kind: str
    """ "settings", "constructor", "evaluation" or "loader"."""
    function: Callable[..., Any]
    """The function."""
    arguments: Callable[[], dict[str, Any]]
    """Function that returns valid arguments."""
    use: Callable[[Any], Any] = lambda result: result
    """Function that uses the result; what it returns is checked."""
    accepts: tuple[str, ...] = ()
    """Names of hostile values that this function may accept, since it documents them."""
    aliases: tuple[str, ...] = ()
    """Further names by which an error may call an argument, such as that of a command's option."""
    may_be_empty: bool = False
    """True if the result of empty arguments is empty."""

    @property
    def name(self) -> str:
        """Name of the function."""
        name = getattr(self.function, "__qualname__", repr(self.function))
        return str(name).removesuffix(".__init__")


def normal(*shape: int) -> np.ndarray:
    """Return normally distributed numbers."""
    return RNG.normal(size=shape)


def frames(n: int = 6, size: int = 36) -> np.ndarray:
    """Return random images."""
    return RNG.integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def make_store(n: int = 4, length: int = 6) -> data.EpisodeStore:
    """Return episodes of three observation entries and one action entry."""
    end = np.arange(length) == length - 1
    episodes = [
        data.Episode(normal(length + 1, 3), np.tanh(normal(length, 1)), normal(length), end, ~end & False)
        for _ in range(n)
    ]
    return data.EpisodeStore.from_episodes(episodes)


def make_transitions() -> Transition:
    """Return random transitions."""
    obs, act, after = (torch.randn(16, n) for n in (3, 1, 3))
    return Transition(obs, act, after, torch.zeros(16, dtype=torch.bool))


def quadratic(obs: torch.Tensor, act: torch.Tensor, after: torch.Tensor, terminated: torch.Tensor) -> Any:
    """Return a reward of the transition."""
    return -(obs**2).sum(-1) - (act**2).sum(-1)


def linear(obs: torch.Tensor, act: torch.Tensor, after: torch.Tensor, terminated: torch.Tensor) -> Any:
    """Return another reward of the transition."""
    return obs[..., 0] + after.sum(-1)


def make_mdp() -> evaluation.TabularMDP:
    """Return a process of 4 states and 2 actions."""
    transition = RNG.dirichlet(np.ones(4), (4, 2))
    return evaluation.TabularMDP(transition, normal(4, 2, 4), np.full(4, 0.25), 0.9)


def make_reward() -> rewards.MLPReward:
    """Return an untrained reward of three observation entries and one action entry."""
    return rewards.MLPReward(rewards.RewardSettings(3, 1, hidden=(4,)))


def score(reward: Any) -> Any:
    """Return scores of a reward model."""
    return reward.score(normal(5, 3), normal(5, 1), normal(5, 3))


def walk(env: Any) -> Any:
    """Return the observations and rewards of a few steps."""
    results = [env.reset(seed=0)[0]]
    for _ in range(3):
        obs, reward, *_ = env.step(env.action_space.sample())
        results += [obs, reward]
    env.close()
    return results


def make_encoder() -> encoders.ImageEncoder:
    """Return a small encoder with random weights."""
    return encoders.load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")


class PixelEnv(gym.Env[Any, Any]):
    """Environment of a number, which renders as noise."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 30}
    observation_space, action_space = BOX, DISCRETE

    def __init__(self) -> None:
        self.render_mode = "rgb_array"

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, np.float32), 1.0, False, False, {}

    def render(self) -> np.ndarray:
        return np.asarray(frames(1, 40)[0])


STATES = gym.spaces.Box(-np.inf, np.inf, (3,), np.float64)


def is_optional(function: Callable[..., Any], name: str) -> bool:
    """Return True if the parameter may be None by its annotation or default."""
    try:
        parameter = inspect.signature(function).parameters[name]
    except (KeyError, ValueError):
        return True  # an argument of **options
    return parameter.default is None or "None" in str(parameter.annotation)


def takes_number(function: Callable[..., Any], name: str) -> bool:
    """Return True if the parameter may be a number by its annotation."""
    try:
        annotation = inspect.signature(function).parameters[name].annotation
    except (KeyError, ValueError):
        return True  # an argument of **options
    return re.search(r"\b(int|float)\b", str(annotation)) is not None
