"""A point that clones may steer, with observations in an array or in a dictionary."""

import gymnasium as gym
import numpy as np
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

from rlpriors.data.episodes import Episode, EpisodeStore


class Point(gym.Env):
    """Moves by a tenth of the action; with `discrete`, action `3 + i` means -1, 0 or 1."""

    def __init__(self, length: int = 20, *, dictionary: bool = False, discrete: bool = False) -> None:
        box = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
        space = gym.spaces.Dict({"clock": box, "where": box})
        self.observation_space = space if dictionary else box
        self.action_space = gym.spaces.Discrete(3, start=3) if discrete else gym.spaces.Box(-1, 1, (1,))
        self.length, self.dictionary, self.discrete = length, dictionary, discrete

    def _obs(self):
        clock = np.full(1, self.time, np.float32)
        return {"clock": clock, "where": self.at.copy()} if self.dictionary else self.at.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.time = self.np_random.uniform(-1, 1, 1).astype(np.float32), 0
        return self._obs(), {}

    def step(self, action):
        move = float(action) - 4 if self.discrete else action.astype(np.float32)
        self.at = (self.at + 0.1 * move).astype(np.float32)
        self.time += 1
        return self._obs(), 0.0, False, self.time >= self.length, {}


def homing(n: int = 10, steps: int = 20, *, discrete: bool = False, seed: int = 0) -> EpisodeStore:
    """Points that go to 0 and stay there."""
    rng, episodes = np.random.default_rng(seed), []
    for at in rng.uniform(-1, 1, n):
        obs, act = [at], []
        for _ in range(steps):
            move = -np.sign(at) * (abs(at) > 0.1) if discrete else np.clip(-3 * at, -1, 1)
            act.append(int(move) + 4 if discrete else [move])
            at = at + 0.1 * move
            obs.append(at)
        end = np.arange(steps) == steps - 1
        columns = np.array(obs)[:, None], np.array(act), np.zeros(steps), np.zeros(steps, bool), end
        episodes.append(Episode(*columns))
    return EpisodeStore.from_episodes(episodes)


def collector(policy, *lengths: int, **arguments) -> Collector:
    """The policy in points with episodes of these lengths."""
    envs = DummyVectorEnv([lambda n=n: Point(n, **arguments) for n in lengths])
    envs.seed(0)
    return Collector(policy, envs, VectorReplayBuffer(400 * len(lengths), len(lengths)))
