"""Episodes that start inside `step`: first stacks, motion, rewards."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import Autoreset, TimeLimit
from noise_env import assert_close, small_encoder

from rlpriors.wrappers import EncodeObservation, LearnedReward
from rlpriors.wrappers.autoreset_wrappers import AutoresetWrappers


class Ramp(gym.Env[np.ndarray, int]):
    """Gray levels 0, 5, 10, ... over all episodes, each of two steps."""

    observation_space = gym.spaces.Box(0, 255, (48, 48, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)
    level = -5

    def observe(self) -> np.ndarray:
        self.level += 5
        return np.full((48, 48, 3), self.level, np.uint8)

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return self.observe(), {}

    def step(self, action):
        self.time += 1
        return self.observe(), 1.0, self.time == 2, False, {}


def test_the_second_episode_starts_with_its_own_frame() -> None:
    encoder = small_encoder()
    frames = encoder.encode(np.stack([np.full((48, 48, 3), level, np.uint8) for level in range(0, 35, 5)]))
    env = EncodeObservation(TimeLimit(Autoreset(Ramp()), 100), encoder, stack=2)
    stacks = [env.reset()[0], *(env.step(0)[0] for _ in range(6))]
    # Levels 0 5 10 | 15 20 25 | 30
    for stack, (older, newer) in zip(
        stacks, [(0, 0), (0, 1), (1, 2), (3, 3), (3, 4), (4, 5), (6, 6)], strict=True
    ):
        assert_close(stack, np.concatenate([frames[older], frames[newer]]))


def test_motion_starts_anew() -> None:
    class Noise(Ramp):
        def observe(self) -> np.ndarray:
            shape = super().observe().shape
            return np.random.default_rng(self.level).integers(0, 256, shape, np.uint8)

    encoder = small_encoder(readout="topk-crops(2)")
    env = EncodeObservation(Autoreset(Noise()), encoder)
    frames = [env.unwrapped.observe() for _ in range(4)]
    env.unwrapped.level = -5
    obs = [env.reset()[0], *(env.step(0)[0] for _ in range(3))]
    assert_close(obs[2], encoder.encode(frames[2][None], frames[1][None])[0])
    assert_close(obs[3], encoder.encode(frames[3][None])[0])
    moved = encoder.encode(frames[3][None], frames[2][None])[0]
    assert not np.allclose(obs[3], moved, atol=1e-4)


@pytest.mark.parametrize("outer", [lambda env: env, lambda env: TimeLimit(env, 100)])
def test_a_step_that_only_starts_an_episode_has_no_reward(outer: Any) -> None:
    calls = []

    def change(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
        calls.append(len(obs))
        return (obs_next - obs).mean((1, 2, 3))

    env = LearnedReward(outer(Autoreset(Ramp())), change)
    env.reset()
    steps = [env.step(0) for _ in range(6)]
    assert [step[1] for step in steps] == [5.0, 5.0, 0.0, 5.0, 5.0, 0.0]
    assert [step[4]["env_reward"] for step in steps] == [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]
    assert len(calls) == 4


def test_a_reset_between_two_steps_is_respected() -> None:
    env = Autoreset(Ramp())
    wrappers = AutoresetWrappers(env)
    env.reset()
    env.step(0)
    env.step(0)
    assert wrappers.next_step_resets
    env.reset()
    assert not wrappers.next_step_resets
