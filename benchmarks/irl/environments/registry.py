"""Evaluation environments by name.

`ENVIRONMENTS`      factories by name
`make_environment`  environment with its full or its quick budget
"""

from collections.abc import Callable

from benchmarks.irl.environments.babyai import babyai
from benchmarks.irl.environments.base import Budget, IRLEnvironment
from benchmarks.irl.environments.control import CONTROL_TASKS
from benchmarks.irl.environments.encoded_grid import EncodedGridEnvironment
from benchmarks.irl.environments.gridworld import GridWorldEnvironment
from benchmarks.irl.environments.locomotion import LocomotionEnvironment
from benchmarks.irl.environments.long_mazes import LongMazeEnvironment
from benchmarks.irl.environments.maze import MazeEnvironment
from benchmarks.irl.policies import PolicyBudget
from rlpriors.agents import AlgorithmSettings

__all__ = ["ENVIRONMENTS", "make_environment"]

FAR = AlgorithmSettings("sac", lr=3e-3, gamma=0.99, tau=0.02)
"""SAC for ways of several hundred steps."""


def large_maze(name: str) -> MazeEnvironment:
    """Return the large maze, with or without cells to avoid; its data rest as long as a window or longer."""
    return MazeEnvironment(
        name,
        horizon=48,
        stride=6,
        dwell=(20, 430),
        recipe_name="large",
        budget=Budget(
            data_episodes=500, prior_updates=8000, reward_updates=1200, env_steps=48_000, episodes=30
        ),
        policy_budget=PolicyBudget(FAR, env_steps=64_000, update_per_step=0.25, reward_std=3.0),
    )


def long_maze(name: str) -> LongMazeEnvironment:
    """Return a maze whose way takes several windows."""
    return LongMazeEnvironment(
        name,
        budget=Budget(episodes=50, trajectories=100, env_steps=48_000),
        changes=("same",),
        policy_budget=PolicyBudget(FAR, env_steps=64_000, update_per_step=0.25, reward_std=3.0),
    )


ENVIRONMENTS: dict[str, Callable[[], IRLEnvironment]] = {
    "gridworld": GridWorldEnvironment,
    "gridworld-pixels": EncodedGridEnvironment,
    "umaze": MazeEnvironment,
    "ring": lambda: MazeEnvironment("ring"),
    "ring-avoid": lambda: MazeEnvironment("ring-avoid"),
    "large": lambda: large_maze("large"),
    "large-avoid": lambda: large_maze("large-avoid"),
    "long-comb": lambda: long_maze("long-comb"),
    "long-snail": lambda: long_maze("long-snail"),
    "reacher": CONTROL_TASKS["reacher"],
    "doublependulum": CONTROL_TASKS["doublependulum"],
    "fetchreach": CONTROL_TASKS["fetchreach"],
    "lunarlander": CONTROL_TASKS["lunarlander"],
    "babyai": babyai,
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
        if environment.policy_budget is not None:
            environment.policy_budget = environment.policy_budget.quick()
    return environment
