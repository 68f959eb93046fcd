"""Leaves of an observation as one vector, over random spaces."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import assume, event, given
from hypothesis import strategies as st
from space_strategies import SEEDS, SampledEnv, nested, numeric_spaces, other_spaces

from rlpriors.data.observations import observation_shape, select_observation
from rlpriors.wrappers import FlatObservation
from rlpriors.wrappers.images.observation_tree import iter_leaves, leaf_name, select_leaf

TREES = nested(numeric_spaces(), tuples=False)


def paths_by_name(space: gym.Space) -> list[tuple[str, tuple]]:
    """Names and paths of the leaves, sorted by name: equal names remain equal."""
    return sorted(((leaf_name(path), path) for path, _ in iter_leaves(space)), key=lambda pair: pair[0])


def as_vector(tree, paths) -> np.ndarray:
    leaves = [np.asarray(select_leaf(tree, path), np.float64).reshape(-1) for path in paths]
    return np.concatenate(leaves).astype(np.float32)


@given(space=TREES, seed=SEEDS, data=st.data())
def test_the_vector_holds_the_leaves_in_order(space, seed, data):
    named = paths_by_name(space)
    names = [name for name, _ in named]
    env, keys = SampledEnv(space), None
    if len(set(names)) < len(names):
        event("two leaves of one name")
        with pytest.raises(ValueError, match="must have distinct names"):
            FlatObservation(env)
        return
    if isinstance(space, gym.spaces.Dict) and data.draw(st.booleans()):
        keys = data.draw(st.permutations(names))[: data.draw(st.integers(1, len(names)))]
        named = [(name, dict(named)[name]) for name in keys]
    flat = FlatObservation(env, keys)
    for observe in (lambda: flat.reset(seed=seed)[0], lambda: flat.step(0)[0]):
        obs = observe()
        assert obs in flat.observation_space
        np.testing.assert_array_equal(obs, as_vector(env.last, [path for _, path in named]))
    layout = flat.observation_space.obs_layout
    if isinstance(space, gym.spaces.Dict):
        assert layout.keys == tuple(name for name, _ in named)
        assert layout.shapes == tuple(select_leaf(space, path).shape for _, path in named)
    else:
        assert layout is None


@given(space=TREES, seed=SEEDS, n=st.integers(1, 3))
def test_a_batch_has_the_rows_of_its_observations(space, seed, n):
    names = [name for name, _ in paths_by_name(space)]
    assume(len(set(names)) == len(names))
    space.seed(seed)
    rows = [space.sample() for _ in range(n)]
    batch = concatenate(space, rows, create_empty_array(space, n))
    selected = select_observation(batch, batch_dims=1)
    assert selected.shape == (n, *observation_shape(space))
    for row, obs in zip(selected, rows, strict=True):
        np.testing.assert_array_equal(row, select_observation(obs))
    for row, obs in zip(iterate(batch_space(space, n), batch), selected, strict=True):
        np.testing.assert_array_equal(select_observation(row), obs)


@given(space=nested(numeric_spaces() | other_spaces()))
def test_other_leaves_are_refused(space):
    leaves = [leaf for _, leaf in iter_leaves(space)]
    tuples = isinstance(space, gym.spaces.Tuple) or "Tuple(" in str(space)
    others = [leaf for leaf in leaves if isinstance(leaf, gym.spaces.Text | gym.spaces.Sequence)]
    assume(tuples or others)
    with pytest.raises(ValueError, match=r"observations must be Box, .*Received |must have distinct names"):
        FlatObservation(SampledEnv(space))
