"""Environments that are seen as small frames, for imitation from pixels.

`PixelEnvSpec`    which environment, how large its frames, how long an episode
`AtariPixels`   one game as a Gymnasium environment, whose memory can be looked into
"""

import os
import sys
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import UInt8

from rlpriors.envs.atari.collect import AtariGame, AtariSettings
from rlpriors.envs.atari.ram_annotations import plain_name
from rlpriors.wrappers.pixel_observation import PixelObservation

__all__ = ["AtariPixels", "PixelEnvSpec"]

STICKY = 0.25
"""Chance that the emulator repeats an action, as Machado et al. 2017 (arXiv 1709.06009) ask for."""


@dataclass(frozen=True)
class PixelEnvSpec:
    """An environment, and how it is seen.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> PixelEnvSpec("Reacher-v5", steps=20).name
        'reacher'
    """

    env: str
    """An Atari game in any spelling ("pong", "ALE/Pong-v5"), or the id of an installed environment that
    renders, such as Reacher-v5."""
    size: int = 64
    """Rows and columns of a frame."""
    steps: int = 500
    """An episode is cut after so many steps, or where the environment itself cuts it."""

    def __post_init__(self) -> None:
        for name, least in (("size", 8), ("steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")

    @property
    def name(self) -> str:
        """The environment's plain name, "pong" or "halfcheetah"."""
        return plain_name(self.env.rpartition(":")[2])

    @property
    def is_atari(self) -> bool:
        """Whether it is a game of the Atari 2600."""
        return self.env.startswith("ALE/") or (":" not in self.env and self.env not in gym.registry)

    def make(self) -> gym.Env[Any, Any]:
        """The environment: frames of uint8 [size, size, 3], one at a time.

        Raises:
            ValueError: there is no such environment.
        """
        if self.is_atari:
            try:
                game: gym.Env[Any, Any] = AtariPixels(self.env, self.size)
            except ValueError as error:
                raise ValueError(
                    f"`env` must be an Atari game or the id of an installed environment. Received "
                    f"{self.env!r}: {error}"
                ) from error
            return gym.wrappers.TimeLimit(game, self.steps)
        if sys.platform == "linux":  # before mujoco is imported: draws without a screen
            os.environ.setdefault("MUJOCO_GL", "egl")
        try:
            env = gym.make(self.env, render_mode="rgb_array")
        except (gym.error.Error, ImportError, TypeError) as error:
            raise ValueError(f"`env` {self.env!r} cannot be made to render: {error}") from error
        own = None if env.spec is None else env.spec.max_episode_steps
        if own is None or self.steps < own:
            env = gym.wrappers.TimeLimit(env, self.steps)
        return PixelObservation(env, self.size, self.size)


class AtariPixels(gym.Env[UInt8[np.ndarray, "rows columns 3"], Any]):
    """A game of `AtariGame`: actions held for four frames, a quarter of them repeated by the emulator.

    An episode is a whole game.  In Breakout, where the next ball waits for FIRE, that is pressed when a
    life is lost: else who never learned to press it would have one ball.

    Example:
        >>> env = AtariPixels("pong", size=64)
        >>> frame, _ = env.reset(seed=0)
        >>> frame.shape, env.action_space, env.ram().shape
        ((64, 64, 3), Discrete(6), (128,))
    """

    render_mode = "rgb_array"

    def __init__(self, game: str, size: int) -> None:
        self.settings = AtariSettings(
            gray=False,
            size=(size, size),
            repeat_action_probability=STICKY,
            episodic_life=plain_name(game) == "breakout",
        )
        self.metadata = {"render_modes": ["rgb_array"]}
        self.rom = game
        self._game = AtariGame(game, 0, self.settings)
        self.observation_space = gym.spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.action_space: gym.spaces.Discrete = gym.spaces.Discrete(len(self._game.actions))

    @property
    def actions(self) -> tuple[str, ...]:
        """What the numbers of actions mean."""
        return self._game.actions

    def ram(self) -> UInt8[np.ndarray, " 128"]:
        """The console's memory."""
        return self._game.ram()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        goes_on = self.settings.episodic_life and not self._game.over
        if seed is not None or goes_on:
            self._game = AtariGame(self.rom, int(self.np_random.integers(2**31)), self.settings)
        self._game.begin()
        return self._game.frame(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, terminated, truncated = self._game.step(int(action))
        if terminated and not self._game.over:
            terminated = False
            self._game.begin()  # the next life
        return self._game.frame(), reward, terminated, truncated, {}

    def render(self) -> np.ndarray:
        """The frame that is seen."""
        return self._game.frame()
