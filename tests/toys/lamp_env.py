"""Environment with two lamps: the button of the lit one gives reward 1."""

import gymnasium as gym
import numpy as np

SIZE, STEPS = 36, 6


class Lamps(gym.Env):
    observation_space = gym.spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (as Gymnasium has it)

    def __init__(self, render_mode=None, steered=False, start=0):
        self.render_mode, self.steered = render_mode, steered
        self.action_space = gym.spaces.Box(-1, 1, (1,)) if steered else gym.spaces.Discrete(2, start=start)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.lit, self.time = int(self.np_random.integers(2)), 0
        return self.lit, {}

    def step(self, action):
        pressed = int(action[0] > 0) if self.steered else int(action)
        reward = float(pressed == self.lit)
        self.lit, self.time = int(self.np_random.integers(2)), self.time + 1
        return self.lit, reward, False, self.time == STEPS, {}

    def render(self):
        frame = np.full((SIZE, SIZE, 3), 30, np.uint8)
        frame[:, self.lit * SIZE // 2 : (self.lit + 1) * SIZE // 2] = 220
        return frame


def press_the_lit(env):
    """Return the expert's action, computed from the state instead of the pixels."""
    lamps = env.unwrapped
    return np.array([2.0 * lamps.lit - 1], np.float32) if lamps.steered else lamps.lit


if "rlpriors-tests/Lamps-v0" not in gym.registry:
    gym.register("rlpriors-tests/Lamps-v0", Lamps)
    gym.register("rlpriors-tests/SteeredLamps-v0", Lamps, kwargs={"steered": True})
    gym.register("rlpriors-tests/LampsFromOne-v0", Lamps, kwargs={"start": 1})
