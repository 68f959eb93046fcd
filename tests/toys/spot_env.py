"""Spot that is moved left or right over a dark image, towards the right edge.

`Spot`        environment "spot_env:Spot-v0" with images, "spot_env:SpotDict-v0" with a Dict observation, and
              "spot_env:SpotRendered-v0" with the position alone, which renders
`to_right`    scripted expert
"""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

SIZE, STEPS = 36, 12


class Spot(gym.Env[Any, Any]):
    """Position in 0..8; the actions are left, stay and right.  The reward is the position."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}
    action_space = gym.spaces.Discrete(3)

    def __init__(self, kind: str = "image", render_mode: str | None = None) -> None:
        self.kind, self.render_mode = kind, render_mode
        image = gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        place = gym.spaces.Box(0, 8, (1,), np.float32)
        self.observation_space = {
            "image": image,
            "dict": gym.spaces.Dict(camera=image, place=place),
            "place": place,
        }[kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.steps = int(self.np_random.integers(9)), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place = int(np.clip(self.place + int(action) - 1, 0, 8))
        self.steps += 1
        return self._observe(), float(self.place), False, self.steps == STEPS, {}

    def render(self) -> np.ndarray:
        frame = np.full((SIZE, SIZE, 3), 20, np.uint8)
        frame[14:22, self.place * 4 : self.place * 4 + 4] = 240
        return frame

    def _observe(self) -> Any:
        place = np.array([self.place], np.float32)
        return {
            "image": self.render(),
            "dict": {"camera": self.render(), "place": place},
            "place": place,
        }[self.kind]


def to_right(obs: Any) -> int:
    """Return the action of the demonstrations."""
    return 2


if "Spot-v0" not in gym.registry:
    gym.register("Spot-v0", Spot)
    gym.register("SpotDict-v0", Spot, kwargs={"kind": "dict"})
    gym.register("SpotRendered-v0", Spot, kwargs={"kind": "place"})
