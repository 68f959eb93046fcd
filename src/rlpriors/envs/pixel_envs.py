"""Environments with small images for observations, for imitation from pixels.

`PixelEnvSpec`  environment id, image size and episode length
`AtariPixels`   Gymnasium environment of an Atari game, with access to its RAM
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import UInt8

from rlpriors.envs.atari.game import AtariGame, AtariSettings
from rlpriors.envs.atari.ram_annotations import plain_name
from rlpriors.envs.make import make_env
from rlpriors.settings import check_fields
from rlpriors.wrappers.pixel_observation import PixelObservation

__all__ = ["AtariPixels", "PixelEnvSpec"]

REPEAT_ACTION_PROBABILITY = 0.25
"""Chance that the emulator repeats an action, as recommended by Machado et al. 2017 (arXiv 1709.06009)."""


@dataclass(frozen=True)
class PixelEnvSpec:
    """Specification of an environment with images for observations.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> PixelEnvSpec("Reacher-v5", max_episode_steps=20).name
        'reacher'
    """

    env_id: str
    """Environment: an Atari game in any spelling ("pong", "ALE/Pong-v5"), or the id of an installed
    environment that renders, such as Reacher-v5."""
    image_size: int = 64
    """Rows and columns of an image, at least 8."""
    max_episode_steps: int = 500
    """Number of steps after which an episode is truncated, unless the environment has a lower limit."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name, least in (("image_size", 8), ("max_episode_steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")

    @property
    def name(self) -> str:
        """Plain name of the environment, such as "pong" or "halfcheetah"."""
        return plain_name(self.env_id.rpartition(":")[2])

    @property
    def is_atari(self) -> bool:
        """True for a game of the Atari 2600."""
        return self.env_id.startswith("ALE/") or (":" not in self.env_id and self.env_id not in gym.registry)

    def make(self) -> gym.Env[Any, Any]:
        """Return the environment; its observations are images, uint8 [image_size, image_size, 3].

        Raises:
            ValueError: no such environment is installed, or it does not render.
        """
        size = self.image_size
        if self.is_atari:
            try:
                game: gym.Env[Any, Any] = AtariPixels(self.env_id, size)
            except ValueError as error:
                raise ValueError(
                    f"`env` must be an Atari game or the id of an installed environment. Received "
                    f"{self.env_id!r}: {error}"
                ) from error
            return gym.wrappers.TimeLimit(game, self.max_episode_steps)
        env = make_env(self.env_id, render_mode="rgb_array")
        limit = None if env.spec is None else env.spec.max_episode_steps
        if limit is None or self.max_episode_steps < limit:
            env = gym.wrappers.TimeLimit(env, self.max_episode_steps)
        return PixelObservation(env, size, size)


class AtariPixels(gym.Env[UInt8[np.ndarray, "rows columns 3"], Any]):
    """Gymnasium environment of an `AtariGame`.

    Each action is held for four frames, and the emulator repeats a quarter of the actions.  An episode is a
    whole game.  In Breakout, FIRE is pressed after each lost life: otherwise an agent that has not learned to
    press it would play one ball only.

    Example:
        >>> env = AtariPixels("pong", image_size=64)
        >>> frame, _ = env.reset(seed=0)
        >>> frame.shape, env.action_space, env.ram().shape
        ((64, 64, 3), Discrete(6), (128,))
    """

    render_mode = "rgb_array"

    def __init__(self, game: str, image_size: int) -> None:
        self.settings = AtariSettings(
            gray=False,
            image_size=(image_size, image_size),
            repeat_action_probability=REPEAT_ACTION_PROBABILITY,
            episodic_life=plain_name(game) == "breakout",
        )
        self.metadata = {"render_modes": ["rgb_array"]}
        self.rom = game
        self._game = AtariGame(game, 0, self.settings)
        self.observation_space = gym.spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)
        self.action_space: gym.spaces.Discrete = gym.spaces.Discrete(len(self._game.actions))

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions, by their number."""
        return self._game.actions

    def ram(self) -> UInt8[np.ndarray, " 128"]:
        """Return the console's RAM."""
        return self._game.ram()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        in_game = self.settings.episodic_life and not self._game.over
        if seed is not None or in_game:
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
        """Return the frame that the last observation shows."""
        return self._game.frame()
