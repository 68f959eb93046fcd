"""Environments of the policy benchmark, with their demonstrations.

`Detour`         a round obstacle with two ways around it
`Phase`          a rhythm whose phase shows in noisy observations only
`record_detour`  demonstrations that take either way
`record_phase`   demonstrations in the right phase
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float

from rlpriors.data.episodes import Episode, EpisodeStore

__all__ = ["Detour", "Phase", "record_detour", "record_phase"]


class Detour(gym.Env[Any, Any]):
    """Point that goes from the left to the right, past a round obstacle in the middle.

    It ends at the goal (1, 0) with the reward 1, or in the obstacle with the reward 0.
    """

    observation_space = gym.spaces.Box(-2, 2, (2,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    radius = 0.4

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = np.array([-1, 0]) + self.np_random.normal(0, 0.02, 2)
        self.time = 0
        return self.at.astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.at = np.clip(self.at + 0.1 * np.clip(action, -1, 1), -2, 2)
        self.time += 1
        reached = bool(np.linalg.norm(self.at - [1, 0]) < 0.15)
        collided = bool(np.linalg.norm(self.at) < self.radius)
        return self.at.astype(np.float32), float(reached), reached or collided, self.time >= 60, {}

    def expert(self, side: float) -> Float[np.ndarray, " 2"]:
        """Return the action of the way around by one side, 1 (above) or -1."""
        target = np.array([0.0, 0.7 * side]) if self.at[0] < -0.05 else np.array([1.0, 0.0])
        way = target - self.at
        return np.asarray(way / max(float(np.linalg.norm(way)), 0.1))


class Phase(gym.Env[Any, Any]):
    """Rhythm of `period` steps: the action is 1 in the first half and -1 in the second.

    The phase starts at random.  An observation is its cosine and sine with normal noise, too little to read
    the phase from one.  The reward is 1 for an action of the right sign.
    """

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
    period, length, noise = 12, 48, 1.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.phase, self.time = int(self.np_random.integers(self.period)), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        right = float(np.sign(action[0]) == self.expert()[0])
        self.phase, self.time = (self.phase + 1) % self.period, self.time + 1
        return self._observe(), right, False, self.time >= self.length, {}

    def expert(self) -> Float[np.ndarray, " 1"]:
        """Return the right action."""
        return np.array([1.0 if self.phase < self.period // 2 else -1.0])

    def _observe(self) -> np.ndarray:
        angle = 2 * np.pi * self.phase / self.period
        noise = self.noise * self.np_random.standard_normal(2)
        return np.asarray(np.array([np.cos(angle), np.sin(angle)]) + noise, np.float32)


def record_detour(n_episodes: int, seed: int) -> EpisodeStore:
    """Return demonstrations that take one way or the other with equal probability."""
    env, rng = Detour(), np.random.default_rng((1, seed))

    def act() -> np.ndarray:
        noisy = env.expert(side) + 0.1 * rng.standard_normal(2)
        return np.asarray(np.clip(noisy, -1, 1), np.float32)

    episodes: list[Episode] = []
    while len(episodes) < n_episodes:
        side = rng.choice([-1.0, 1.0])
        episode = _record(env, act, int(rng.integers(2**31)))
        if episode.rew[-1]:
            episodes.append(episode)
    return EpisodeStore.from_episodes(episodes, action_space=env.action_space)


def record_phase(n_episodes: int, seed: int) -> EpisodeStore:
    """Return demonstrations in the right phase, which the demonstrator knows."""
    env, rng = Phase(), np.random.default_rng((1, seed))
    episodes = [_record(env, env.expert, int(rng.integers(2**31))) for _ in range(n_episodes)]
    return EpisodeStore.from_episodes(episodes, action_space=env.action_space)


def _record(env: Any, act: Any, seed: int) -> Episode:
    obs, actions, rest = [env.reset(seed=seed)[0]], [], []
    done = False
    while not done:
        actions.append(act())
        new, reward, terminated, truncated, _ = env.step(actions[-1])
        obs.append(new)
        rest.append((reward, terminated, truncated))
        done = terminated or truncated
    rew, terminated, truncated = (np.array(column) for column in zip(*rest, strict=True))
    return Episode(np.array(obs), np.array(actions), rew, terminated, truncated)
