"""Mazes of reward learning."""

import pytest
from benchmarks.irl.environments.registry import make_environment
from benchmarks.irl.run import completion_metric

from rlpriors.envs.maze.layouts import LAYOUTS


@pytest.mark.parametrize("name", ["umaze", "ring-avoid", "large", "large-avoid"])
def test_changes_have_a_layout(name: str) -> None:
    environment = make_environment(name, quick=True)
    assert environment.changes[0] == "same"
    assert environment.changes[-1] == "heavy"
    assert ("blocked" in environment.changes) == (f"{name}-blocked" in LAYOUTS)
    assert completion_metric(environment, "rl") == "rl_success_same"
    assert completion_metric(environment, "rl-changed") == "rl_success_heavy"
