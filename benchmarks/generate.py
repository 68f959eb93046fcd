"""How many steps of maze data a second? 100,000 steps with 0, 1 and 2 worker processes.

python -m benchmarks.generate
"""

import time

import gymnasium as gym

from rlpriors.envs.maze.controllers import WaypointSettings, rollout

STEPS = 100_000


def make_umaze() -> gym.Env:
    import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    return gym.make("PointMaze_UMaze-v3", max_episode_steps=300, disable_env_checker=True)


def main() -> None:
    settings = WaypointSettings()
    for workers in (0, 1, 2):
        start = time.perf_counter()
        episodes = rollout(make_umaze, STEPS // settings.max_steps, settings, seed=0, workers=workers)
        seconds = time.perf_counter() - start
        steps = sum(len(episode.rew) for episode in episodes)
        print(f"workers {workers}: {steps} steps in {seconds:.1f} s = {steps / seconds:.0f} steps/s")


if __name__ == "__main__":
    main()
