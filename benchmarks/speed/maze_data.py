"""Speed of maze data collection: 100,000 steps with 0, 1 and 2 worker processes.

python -m benchmarks.speed.maze_data
"""

import time

import gymnasium as gym

from rlpriors.envs.make import make_env
from rlpriors.envs.maze.controllers import WaypointSettings
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout

N_STEPS = 100_000


def make_umaze() -> gym.Env:
    """Return the U-shaped point maze."""
    return make_env("PointMaze_UMaze-v3", max_episode_steps=300, disable_env_checker=True)


def main() -> None:
    """Print steps per second."""
    settings = WaypointSettings()
    for workers in (0, 1, 2):
        start = time.perf_counter()
        episodes = waypoint_rollout(
            make_umaze, N_STEPS // settings.max_episode_steps, settings, seed=0, n_workers=workers
        )
        seconds = time.perf_counter() - start
        steps = sum(len(episode.rew) for episode in episodes)
        print(f"workers {workers}: {steps} steps in {seconds:.1f} s = {steps / seconds:.0f} steps/s")


if __name__ == "__main__":
    main()
