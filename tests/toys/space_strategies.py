"""Random spaces of Gymnasium, and an environment whose observations are samples of a space.

`numeric_spaces`      leaves that hold an array of numbers
`other_spaces`        leaves that do not
`nested`              Dict and Tuple spaces of leaves, with keys of any kind
`SampledEnv`          environment that returns samples of its spaces
"""

from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**31 - 1)
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
# Few and short, so that two leaves often meet in one path.
KEYS = (
    st.sampled_from(["", "/", "a", "b", "a/b", "0", "encoded", "pixels", "a_pixels", "é", 0, 1, -1])
    | st.text(max_size=3)
    | st.integers(-2, 12)
)


@st.composite
def boxes(draw: st.DrawFn, shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES) -> gym.spaces.Box:
    """Boxes of every number type; none has the range of an image's pixels."""
    shape = draw(shapes)
    dtype = np.dtype(draw(st.sampled_from(["f4", "f8", "f2", "u1", "i4", "i8", "i1"])))
    if dtype.kind == "f" and draw(st.booleans()):
        return gym.spaces.Box(-np.inf, np.inf, shape, dtype.type)
    return gym.spaces.Box(0 if dtype.kind == "u" else -5, draw(st.integers(2, 100)), shape, dtype.type)


def discrete_spaces() -> st.SearchStrategy[gym.Space[Any]]:
    sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)
    return (
        st.builds(gym.spaces.Discrete, st.integers(1, 9), start=st.integers(-5, 5))
        | sizes.map(gym.spaces.MultiDiscrete)
        | SHAPES.filter(len).map(gym.spaces.MultiBinary)
    )


def numeric_spaces() -> st.SearchStrategy[gym.Space[Any]]:
    return boxes() | discrete_spaces()


def other_spaces() -> st.SearchStrategy[gym.Space[Any]]:
    return st.sampled_from([gym.spaces.Text(4), gym.spaces.Sequence(gym.spaces.Box(0, 1, (2,)))])


def nested(
    leaves: st.SearchStrategy[gym.Space[Any]], *, tuples: bool = True, max_leaves: int = 5
) -> st.SearchStrategy[gym.Space[Any]]:
    """A leaf, or Dict (and Tuple) spaces of leaves."""

    def inner(children: st.SearchStrategy[gym.Space[Any]]) -> st.SearchStrategy[gym.Space[Any]]:
        dicts = st.dictionaries(KEYS, children, min_size=1, max_size=3).map(gym.spaces.Dict)
        if not tuples:
            return dicts
        return dicts | st.lists(children, min_size=1, max_size=3).map(lambda parts: gym.spaces.Tuple(parts))

    return st.recursive(leaves, inner, max_leaves=max_leaves)


class SampledEnv(gym.Env[Any, Any]):
    """Environment whose observations are samples of its space; `last` is the newest."""

    def __init__(self, observation_space: gym.Space[Any], action_space: gym.Space[Any] | None = None) -> None:
        # Copies, since a sample changes the random state of a space.
        self.observation_space = deepcopy(observation_space)
        self.action_space = deepcopy(action_space or gym.spaces.Discrete(2))
        self.last: Any = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.last = self.observation_space.sample()
        return self.last, {}

    def step(self, action):
        self.last = self.observation_space.sample()
        return self.last, 0.0, False, False, {}
