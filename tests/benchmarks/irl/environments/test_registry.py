"""Environments of reward learning by name."""

import pytest
from benchmarks.irl.environments.registry import make_environment


def test_an_unknown_environment_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"`--environments` must be names of gridworld.*halfcheetah.*'moon'"):
        make_environment("moon", quick=True)


def test_large_avoid_differs_from_large_only_in_the_cells_to_avoid() -> None:
    wide, careful = (make_environment(name, quick=False) for name in ("large", "large-avoid"))
    assert careful.task.avoid
    assert not wide.task.avoid
    names = ("horizon", "stride", "execute", "dwell", "recipe_name", "budget", "obs_index")
    assert [getattr(careful, name) for name in names] == [getattr(wide, name) for name in names]
    assert careful.task.goal == wide.task.goal
