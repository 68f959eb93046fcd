"""Evaluation environments by name.

`ENVIRONMENTS`      factories by name
`make_environment`  environment with its full or its quick budget
"""

from collections.abc import Callable

from benchmarks.irl.environments.base import Budget, IRLEnvironment
from benchmarks.irl.environments.gridworld import GridWorldEnvironment
from benchmarks.irl.environments.locomotion import LocomotionEnvironment
from benchmarks.irl.environments.maze import MazeEnvironment

__all__ = ["ENVIRONMENTS", "make_environment"]


def large_maze(name: str) -> MazeEnvironment:
    """Return the large maze, with or without cells to avoid."""
    return MazeEnvironment(
        name,
        horizon=48,
        stride=6,
        max_start=200,
        recipe_name="large",
        budget=Budget(
            data_episodes=500, prior_updates=8000, reward_updates=1200, env_steps=48_000, episodes=30
        ),
    )


ENVIRONMENTS: dict[str, Callable[[], IRLEnvironment]] = {
    "gridworld": GridWorldEnvironment,
    "umaze": MazeEnvironment,
    "ring-avoid": lambda: MazeEnvironment("ring-avoid", max_start=100),
    "large": lambda: large_maze("large"),
    "large-avoid": lambda: large_maze("large-avoid"),
    "hopper": lambda: LocomotionEnvironment("Hopper-v5"),
    "halfcheetah": lambda: LocomotionEnvironment("HalfCheetah-v5"),
}


def make_environment(name: str, *, quick: bool) -> IRLEnvironment:
    """Return a new environment; `quick` replaces its budget by one of some seconds.

    Raises:
        ValueError: `name` is unknown.
    """
    if name not in ENVIRONMENTS:
        raise ValueError(f"`--environments` must be names of {', '.join(ENVIRONMENTS)}. Received {name!r}.")
    environment = ENVIRONMENTS[name]()
    if quick:
        environment.budget = Budget.quick()
    return environment
