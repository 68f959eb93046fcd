"""Encoded observations, over random spaces: wrapped observations belong to the wrapped spaces."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import iterate
from hypothesis import assume, event, given
from hypothesis import strategies as st
from noise_env import alone, assert_close
from space_strategies import SEEDS, SampledEnv, boxes, discrete_spaces, nested, other_spaces
from tiny_encoder import tiny_encoder

from rlpriors.wrappers import EncodeObservation, VectorEncodeObservation
from rlpriors.wrappers.images.observation_tree import iter_leaves, select_leaf

ENCODER = tiny_encoder()
SIDES = st.integers(4, 12)
IMAGES = st.builds(lambda *shape: gym.spaces.Box(0, 255, shape, np.uint8), SIDES, SIDES) | st.builds(
    lambda *shape: gym.spaces.Box(0, 255, shape, np.uint8), SIDES, SIDES, st.just(3)
)
SPACES = nested(IMAGES | boxes() | discrete_spaces() | other_spaces())


def is_image(space: gym.Space) -> bool:
    return space.dtype == np.uint8 and len(space.shape) >= 2 and bool((space.high == 255).all())


def wrap(make, space: gym.Space, keep: bool):
    """Return the wrapped environment, or None if its refusal has its reason in the space."""
    images = [path for path, leaf in iter_leaves(space) if is_image(leaf)]
    try:
        return make()
    except ValueError as error:
        message = str(error)
    event(message[:40])
    if keep and images and message.startswith("`keep_pixels` needs"):
        return None
    assert not images, message
    assert "must hold an image" in message or "must be a Box of integers in 0..255" in message
    return None


@pytest.mark.filterwarnings("ignore:.*Casting input x")  # of Gymnasium, for numbers without axes
@given(space=SPACES, keep=st.booleans(), seed=SEEDS)
def test_wrapped_observations_belong_to_the_wrapped_space(space, keep, seed):
    env = SampledEnv(space)
    wrapped = wrap(lambda: EncodeObservation(env, ENCODER, keep_pixels=keep), space, keep)
    if wrapped is None:
        return
    for observe in (lambda: wrapped.reset(seed=seed)[0], lambda: wrapped.step(0)[0]):
        obs = observe()
        assert obs in wrapped.observation_space
        for path, leaf in iter_leaves(space):
            raw = select_leaf(env.last, path)
            if not is_image(leaf):
                assert data_equivalence(select_leaf(obs, path), raw, exact=True)
                continue
            root = keep and not path  # an observation that is an image becomes a Dict
            assert_close(select_leaf(obs, ("encoded",) if root else path), alone(ENCODER, raw))
            if keep:
                pixels = ("pixels",) if root else (*path[:-1], f"{path[-1]}_pixels")
                np.testing.assert_array_equal(select_leaf(obs, pixels), raw)


@given(space=SPACES, seed=SEEDS, n=st.integers(1, 3))
def test_a_batch_is_the_observations_of_single_environments(space, seed, n):
    assume(any(is_image(leaf) for _, leaf in iter_leaves(space)))
    vector = SyncVectorEnv([lambda: SampledEnv(space)] * n, autoreset_mode=AutoresetMode.NEXT_STEP)
    envs = VectorEncodeObservation(vector, ENCODER)
    batch, _ = envs.reset(seed=seed)
    assert batch in envs.observation_space
    rows = list(iterate(envs.observation_space, batch))
    assert len(rows) == n
    for index, row in enumerate(rows):
        single, _ = EncodeObservation(SampledEnv(space), ENCODER).reset(seed=seed + index)
        for path, leaf in iter_leaves(space):
            ours, theirs = select_leaf(row, path), select_leaf(single, path)
            if is_image(leaf):
                assert ours in select_leaf(envs.single_observation_space, path)
                assert_close(ours, theirs)
            elif leaf.shape is None:
                assert data_equivalence(ours, theirs)
            else:  # numbers without axes may be of numpy or of Python
                np.testing.assert_array_equal(ours, theirs)
