"""Mazes of reward learning."""

import numpy as np
import pytest
from benchmarks.irl.environments.long_mazes import LONG_MAZES, MIN_CELLS, draw_goal
from benchmarks.irl.environments.registry import make_environment

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.maze.layouts import LAYOUTS
from rlpriors.envs.maze.maze import Maze


@pytest.mark.parametrize("name", ["umaze", "ring-avoid", "large", "large-avoid"])
def test_changes_have_a_layout(name: str) -> None:
    environment = make_environment(name, quick=True)
    assert environment.changes[0] == "same"
    assert environment.changes[-1] == "heavy"
    assert ("blocked" in environment.changes) == (f"{name}-blocked" in LAYOUTS)


def test_goals_of_long_mazes_are_drawn_by_the_seed_and_far_away() -> None:
    goals = set()
    for name, rows in LONG_MAZES.items():
        maze = Maze([[int(cell) for cell in row] for row in rows])
        for seed in range(5):
            environment = make_environment(name, quick=True)
            environment.seed = seed
            goal = maze.cell_of(environment.task.goal)
            assert goal == draw_goal(maze, MIN_CELLS, seed)
            assert max(len(maze.route(start, goal)) for start in maze.free_cells) >= MIN_CELLS
            goals.add((name, goal))
    assert len(goals) > 5
    with pytest.raises(ValueError, match="`min_cells` must be at most"):
        draw_goal(maze, 100, 0)


def test_no_long_maze_was_used_to_choose_settings() -> None:
    chosen_on = {(7, 7), (7, 9)}  # shapes of the maps that settings were chosen on
    shapes = {(len(rows), len(rows[0])) for rows in LONG_MAZES.values()}
    assert not shapes & chosen_on


def test_data_of_the_large_maze_rest_as_long_as_a_window() -> None:
    environment = make_environment("large", quick=False)
    assert environment.dwell[1] > environment.horizon * environment.stride


def test_the_true_return_is_the_mean_distance_after_the_start() -> None:
    environment = make_environment("umaze", quick=True)
    goal = environment.task.goal
    obs = np.array([[1.0, 1.0, 0, 0], [*goal, 0, 0], [goal[0] + 0.5, goal[1], 0, 0]])
    episode = Episode(obs, np.zeros((2, 2)), *np.zeros((3, 2)))
    store = EpisodeStore.from_episodes([episode])
    assert environment.true_return(store) == pytest.approx(-0.25)
