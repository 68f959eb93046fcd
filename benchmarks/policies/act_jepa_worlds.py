"""Point mazes with random goals for the comparison of ACT-JEPA with ACT.

`MAZES`         mazes by name
`MazeWorld`     maze, its scripted demonstrations and its success
"""

from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.make import make_env
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings
from rlpriors.envs.maze.maze import Maze
from rlpriors.envs.rollout import iterate_episode

__all__ = ["MAZES", "OBS_KEYS", "MazeWorld"]

OBS_KEYS = ("observation", "desired_goal")
"""Leaves (x, y, vx, vy) and the goal (x, y), in the order of the policies' vectors."""


class MazeWorld(NamedTuple):
    """Point maze whose start and goal are drawn at each reset; an episode ends at the goal."""

    env_id: str
    """Gymnasium id."""
    max_episode_steps: int
    """Number of steps after which an episode has failed."""

    def make(self) -> gym.Env[Any, Any]:
        """Return the environment."""
        return make_env(self.env_id, continuing_task=False, max_episode_steps=self.max_episode_steps)

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes of the waypoint controller that reach their goals."""
        env, rng = self.make(), np.random.default_rng((3, seed))
        episodes: list[Episode] = []
        while len(episodes) < n_episodes:
            episode = _walk(env, rng)
            if episode.terminated[-1]:
                episodes.append(episode)
        store = EpisodeStore.from_episodes(episodes, OBS_KEYS, action_space=env.action_space)
        env.close()
        return store

    def recorded(self, folder: Path, n_episodes: int, seed: int) -> EpisodeStore:
        """Return `demonstrations`, which are kept in a file of the folder."""
        path = folder / f"{self.env_id}-{n_episodes}-{seed}.safetensors"
        if not path.exists():
            self.demonstrations(n_episodes, seed).save(path)
        return EpisodeStore.load(path)


MAZES = {
    "umaze-goals": MazeWorld("PointMaze_UMaze-v3", 200),
    "medium-goals": MazeWorld("PointMaze_Medium-v3", 400),
}


def _walk(env: gym.Env[Any, Any], rng: np.random.Generator) -> Episode:
    """Return an episode of the waypoint controller."""
    obs, _ = env.reset(seed=int(rng.integers(2**31)))
    x, y = obs["desired_goal"].tolist()
    controller = WaypointController(Maze.from_env(env), WaypointSettings(goal=(x, y)), rng)
    steps = list(iterate_episode(env, obs, lambda obs: controller.act(obs["observation"])))
    observations = [obs, *(step.obs_next for step in steps)]
    return Episode(
        obs={key: np.stack([obs[key] for obs in observations]) for key in OBS_KEYS},
        act=np.stack([step.act for step in steps]),
        rew=np.array([step.rew for step in steps]),
        terminated=np.array([step.terminated for step in steps]),
        truncated=np.array([step.truncated for step in steps]),
    )
