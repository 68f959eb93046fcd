"""Recorded actions and files of action spaces, over random spaces."""

import json

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_strategies import SEEDS, numeric_spaces

from rlpriors.spaces.actions import check_actions, space_from_json, space_to_json
from rlpriors.spaces.wrapped import same_actions


@st.composite
def action_spaces(draw: st.DrawFn) -> gym.Space:
    """Action spaces, also of the smaller number types."""
    space = draw(numeric_spaces())
    dtype = draw(st.sampled_from([np.int64, np.int32, np.int8]))
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(space.n, start=space.start, dtype=dtype)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return gym.spaces.MultiDiscrete(space.nvec, dtype=dtype, start=space.nvec - 2)
    return space


@given(space=action_spaces(), seed=SEEDS, n=st.integers(1, 4))
def test_samples_are_actions_and_numbers_outside_are_not(space, seed, n):
    space.seed(seed)
    act = np.stack([np.asarray(space.sample()) for _ in range(n)])
    check_actions("act", act, space)
    outside = act.astype(np.float64 if act.dtype.kind == "f" else np.int64)
    outside[-1] += 1000
    if isinstance(space, gym.spaces.Box) and not space.is_bounded():
        check_actions("act", outside, space)
    else:
        with pytest.raises(ValueError, match=f"(?s)`act` must be actions of .* at step {n - 1}; record"):
            check_actions("act", outside, space)


@given(space=action_spaces())
def test_a_space_is_its_own_file(space):
    read = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert same_actions(read, space)  # the data type of integers may change
    if isinstance(space, gym.spaces.Box):  # equality of boxes tolerates rounding
        np.testing.assert_array_equal([read.low, read.high], [space.low, space.high])
