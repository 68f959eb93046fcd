"""Catch, a small game of images: move a paddle under a falling ball.

`Catch`     Gymnasium environment, registered as `CATCH_ID`
`CATCH_ID`  id of the environment
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import UInt8

from rlpriors.settings import fit_value

__all__ = ["CATCH_ID", "Catch"]

CATCH_ID = "Catch-v0"


class Catch(gym.Env[Any, Any]):
    """Catch of the behavior suite (Osband et al., arXiv 1908.03568), drawn as an image.

    A ball starts in a random column of the top row and falls by one row in each step.  Actions 0, 1 and 2
    move the paddle in the bottom row to the left, not at all and to the right.  The episode terminates when
    the ball reaches the bottom row: the reward is then 1 if the paddle is in its column, else -1, and
    `info["is_success"]` is True if it is.  Random actions catch about one ball in `columns`.

    Observations are gray images [`pixels`, `pixels`, 1] of 0 and 255.

    Args:
        rows: number of rows, at least 2.
        columns: number of columns, at least 2.
        pixels: height and width of the image in pixels, at least `rows` and `columns`.

    Example:
        >>> env = Catch(rows=3, columns=3, pixels=3)
        >>> obs, _ = env.reset(options={"column": 0})
        >>> obs[..., 0] // 255
        array([[1, 0, 0],
               [0, 0, 0],
               [0, 1, 0]], dtype=uint8)
        >>> obs, reward, terminated, _, _ = env.step(0)
        >>> reward, terminated
        (0.0, False)
        >>> obs, reward, terminated, _, info = env.step(1)
        >>> reward, terminated, info["is_success"]
        (1.0, True, True)

    Raises:
        ValueError: an argument is out of bounds, or an action is none of 0, 1 and 2.
        RuntimeError: a step before the first reset, or after the end of an episode.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012 - as gym.Env

    def __init__(
        self, rows: int = 10, columns: int = 5, pixels: int = 84, *, render_mode: str | None = None
    ) -> None:
        self.rows = fit_value("rows", rows, int)
        self.columns = fit_value("columns", columns, int)
        self.pixels = fit_value("pixels", pixels, int)
        for name in ("rows", "columns"):
            if getattr(self, name) < 2:
                raise ValueError(f"`{name}` must be at least 2. Received {getattr(self, name)}.")
        if self.pixels < max(self.rows, self.columns):
            raise ValueError(
                f"`pixels` must be at least the number of rows and columns, {max(rows, columns)}. Received "
                f"{pixels}."
            )
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f'`render_mode` must be None or "rgb_array". Received {render_mode!r}.')
        self.render_mode = render_mode
        # The row and column of each pixel.
        numbers = np.arange(self.pixels)
        self._pixel_row = numbers * self.rows // self.pixels
        self._pixel_column = numbers * self.columns // self.pixels
        self.observation_space = gym.spaces.Box(0, 255, (self.pixels, self.pixels, 1), np.uint8)
        self.action_space = gym.spaces.Discrete(3)
        self.ball_row, self.ball_column = self.rows - 1, 0  # an episode that has ended
        self.paddle = self.columns // 2

    def __repr__(self) -> str:
        return f"Catch({self.rows}, {self.columns}, pixels={self.pixels})"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[UInt8[np.ndarray, "height width 1"], dict[str, Any]]:
        """Drop a ball in a random column, or in that of `options["column"]`; the paddle is in the middle."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(self.columns))
        column = fit_value('options["column"]', (options or {}).get("column", drawn), int)
        if not 0 <= column < self.columns:
            raise ValueError(f'`options["column"]` must be in 0..{self.columns - 1}. Received {column}.')
        self.ball_row, self.ball_column, self.paddle = 0, column, self.columns // 2
        return self._observe(), {"is_success": False}

    def step(
        self, action: Any
    ) -> tuple[UInt8[np.ndarray, "height width 1"], float, bool, bool, dict[str, Any]]:
        """Move the paddle, and let the ball fall by one row."""
        number = int(action)
        if number not in (0, 1, 2):
            raise ValueError(f"`action` must be 0, 1 or 2. Received {action}.")
        if self.ball_row >= self.rows - 1:
            raise RuntimeError("An episode must be started by `reset` before `step`.")
        self.paddle = min(max(self.paddle + number - 1, 0), self.columns - 1)
        self.ball_row += 1
        terminated = self.ball_row == self.rows - 1
        is_success = terminated and self.paddle == self.ball_column
        reward = (1.0 if is_success else -1.0) if terminated else 0.0
        return self._observe(), reward, terminated, False, {"is_success": is_success}

    def render(self) -> np.ndarray | None:
        """Return the image in three channels."""
        return None if self.render_mode is None else np.repeat(self._observe(), 3, 2)

    def _observe(self) -> UInt8[np.ndarray, "height width 1"]:
        cells = np.zeros((self.rows, self.columns), np.uint8)
        cells[self.ball_row, self.ball_column] = cells[self.rows - 1, self.paddle] = 255
        image: np.ndarray = cells[self._pixel_row][:, self._pixel_column]
        return image[..., None]
