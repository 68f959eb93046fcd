"""Rollouts of the waypoint controller.

`waypoint_rollout`  episodes of the controller, in one process or several
"""

from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.reduction import ForkingPickler
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from rlpriors.data.episodes import Episode
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings
from rlpriors.envs.maze.maze import Maze
from rlpriors.envs.rollout import iterate_episode
from rlpriors.worker_pool import WorkerPool

__all__ = ["waypoint_rollout"]


def waypoint_rollout(
    make_env: Callable[[], gym.Env[Any, Any]],
    n_episodes: int,
    settings: WaypointSettings | None = None,
    *,
    seed: int,
    n_workers: int = 0,
    progress: bool = True,
) -> list[Episode]:
    """Return `n_episodes` episodes of the controller, each from a random cell that can reach the goal.

    The rewards are those of the environment.  The last step is truncated if the environment has not ended
    there.  The result depends on `seed` and not on `n_workers`; fewer episodes of the same seed are a prefix
    of more episodes.

    Args:
        make_env: returns a point maze of gymnasium-robotics, such as
            `partial(gym.make, "PointMaze_UMaze-v3", max_episode_steps=300)`.  By default such an environment
            never terminates, which suits a controller with its own goals.
        n_episodes: number of episodes.
        settings: settings of the controller; None for the defaults.
        seed: seed of the starts, the goals and the action noise.
        n_workers: number of worker processes; 0 runs in this process.  With workers, `make_env` must be a
            function at the top level of a module or a `functools.partial`, and a script must guard its start
            with `if __name__ == "__main__":`.
        progress: show a progress bar.

    Raises:
        ValueError: an argument is out of bounds, the goal is not in free space, or `make_env` does not
            return a point maze.
        RuntimeError: a worker process died.
    """
    if n_episodes < 1 or n_workers < 0 or seed < 0:
        raise ValueError(
            f"`n_episodes` must be at least 1, `n_workers` and `seed` at least 0. "
            f"Received {n_episodes}, {n_workers} and {seed}."
        )
    settings = WaypointSettings() if settings is None else settings
    collector = _EpisodeCollector(make_env, settings, seed)  # with workers, too: raises its errors here
    episodes = (
        map(collector.episode, range(n_episodes))
        if n_workers == 0
        else _collect_in_workers(collector, n_episodes, n_workers)
    )
    try:
        return list(tqdm(episodes, desc="rollout", total=n_episodes, unit="episode", disable=not progress))
    finally:
        collector.env.close()


class _EpisodeCollector:
    """Environment and controller settings; each episode has its own random stream."""

    def __init__(
        self, make_env: Callable[[], gym.Env[Any, Any]], settings: WaypointSettings, seed: int
    ) -> None:
        self.arguments = (make_env, settings, seed)
        self.settings, self.seed = settings, seed
        self.env = make_env()
        spaces = getattr(self.env.observation_space, "spaces", {})
        if "observation" not in spaces or spaces["observation"].shape != (4,):
            raise ValueError(
                '`make_env` must return a point maze, whose Dict observation has an "observation" of size 4 '
                f"(x, y, vx, vy). Received {self.env.observation_space}."
            )
        self.maze = Maze.from_env(self.env)
        maze = WaypointController(self.maze, settings, np.random.default_rng(seed)).maze  # checks the goal
        self.cells = maze.free_cells
        if settings.goal is not None:
            self.cells = maze.reachable(maze.cell_of(settings.goal))
        for cell in settings.starts:
            if cell not in self.cells:
                raise ValueError(
                    f"`starts` must be free cells from which the goal is reachable: {self.cells}. "
                    f"Received {cell}."
                )
        self.cells = list(settings.starts) or self.cells

    def episode(self, number: int) -> Episode:
        """Return the episode of that number."""
        env_seeds, controller_seeds = np.random.SeedSequence(self.seed, spawn_key=(number,)).spawn(2)
        rng = np.random.default_rng(controller_seeds)
        controller = WaypointController(self.maze, self.settings, rng)
        cells = self.cells
        env_seed = int(env_seeds.generate_state(1)[0])
        start = np.array(cells[rng.integers(len(cells))])
        obs, _ = self.env.reset(seed=env_seed, options={"reset_cell": start})
        steps = list(
            iterate_episode(
                self.env,
                obs,
                lambda obs: controller.act(obs["observation"]),
                self.settings.max_episode_steps,
            )
        )
        observations = [obs, *(step.obs_next for step in steps)]
        return Episode(
            obs={key: np.stack([obs[key] for obs in observations]) for key in obs},
            act=np.stack([step.act for step in steps]),
            rew=np.array([step.rew for step in steps], dtype=np.float64),
            terminated=np.array([step.terminated for step in steps]),
            truncated=np.array([step.truncated for step in steps]),
            seed=env_seed,
        )


def _collect_in_workers(collector: _EpisodeCollector, n_episodes: int, n_workers: int) -> Iterator[Episode]:
    """Yield the episodes in order, from processes that each make their own environment."""
    try:
        ForkingPickler.dumps(collector.arguments)
    except Exception as error:  # the type depends on the object that could not be pickled
        raise ValueError(
            "`make_env` must be picklable when `n_workers` > 0: a top-level function or a functools.partial, "
            f"no lambda. Received {collector.arguments[0]!r} ({error})."
        ) from error
    n_workers = min(n_workers, n_episodes)
    try:
        with WorkerPool(n_workers, _init_worker, collector.arguments) as pool:
            yield from pool.map(_worker_episode, range(n_episodes))
    except BrokenProcessPool as error:
        raise RuntimeError(
            'A rollout worker died. Does the script guard its start with `if __name__ == "__main__":`? '
            "`n_workers=0` shows errors in this process."
        ) from error


_arguments: tuple[Callable[[], gym.Env[Any, Any]], WaypointSettings, int] | None = None
_collector: _EpisodeCollector | None = None


def _init_worker(*arguments: Any) -> None:
    global _arguments
    _arguments = arguments


def _worker_episode(number: int) -> Episode:
    """Return one episode in a worker; the first call makes the environment, so that its errors are raised."""
    global _collector
    if _collector is None:
        assert _arguments is not None
        _collector = _EpisodeCollector(*_arguments)
    return _collector.episode(number)
