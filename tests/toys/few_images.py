"""Registered noise environment: `gym.make("few_images:FewImages-v0")`, also in spawned workers."""

import gymnasium as gym
from noise_env import NoiseEnv

FEW = 4


class FewImages(NoiseEnv):
    """Noise environment with `FEW` different images, and the argument that Tianshou's factory passes."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(few=FEW)


gym.register("FewImages-v0", FewImages, disable_env_checker=True)
