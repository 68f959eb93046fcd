"""Round trips over random data: files, flat columns, buffers and normalizers return equal bits."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium as gym
import numpy as np
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from space_strategies import KEYS, SEEDS, SHAPES, discrete_spaces

from rlpriors.data import Episode, EpisodeStore, Normalizer
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.normalize import DiscreteActions
from rlpriors.spaces import same_actions

ARRAYS = ("obs", "act", "rew", "terminated", "truncated", "lengths")
NUMBERS = st.sampled_from(["f2", "f4", "f8", "u1", "i1", "i4", "i8", "u2", "?"])
ACTIONS = (
    SHAPES.map(lambda shape: gym.spaces.Box(-2, 3, shape))
    | st.just(gym.spaces.Box(-np.inf, np.inf, (2,), np.float64))
    | discrete_spaces()
)


def array_of(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return (
        rng.integers(0, 120, shape).astype(dtype) if dtype != "f4" else rng.normal(size=shape).astype(dtype)
    )


# The checks of shapes draw random numbers, so that strategies may not call the library's functions.
@st.composite
def contents(draw: st.DrawFn) -> tuple[list[Episode], gym.Space[Any] | None]:
    """Episodes and their action space: observations of any number type and shape, plain or Dict."""
    rng, space = np.random.default_rng(draw(SEEDS)), draw(ACTIONS)
    space.seed(draw(SEEDS))
    plain = draw(st.booleans())
    leaves = {"": (draw(SHAPES), draw(NUMBERS))}
    if not plain:
        parts = st.tuples(SHAPES, NUMBERS)
        leaves = draw(st.dictionaries(KEYS, parts, min_size=1, max_size=3).filter(unambiguous))
    episodes = []
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.integers(1, 5))
        obs: Any = {key: array_of(rng, (steps + 1, *shape), dtype) for key, (shape, dtype) in leaves.items()}
        act = np.stack([np.asarray(space.sample()) for _ in range(steps)])
        last = np.arange(steps) == steps - 1
        ends = draw(st.sampled_from([(False, True), (True, False), (True, True)]))
        flags = [last & end for end in ends]
        episodes.append(Episode(obs[""] if plain else obs, act, rng.normal(size=steps), *flags))
    return episodes, space if draw(st.booleans()) else None


def store_of(content: tuple[list[Episode], gym.Space[Any] | None]) -> EpisodeStore:
    return EpisodeStore.from_episodes(content[0], action_space=content[1])


def unambiguous(leaves: dict[Any, Any]) -> bool:
    return len(set(map(str, leaves))) == len(leaves)


def assert_equal_stores(ours: EpisodeStore, theirs: EpisodeStore) -> None:
    for name in ARRAYS:
        left, right = getattr(ours, name), getattr(theirs, name)
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes(), name
    assert ours.obs_layout == theirs.obs_layout
    if theirs.action_space is None:
        assert ours.action_space is None
    else:
        assert ours.action_space is not None
        assert same_actions(ours.action_space, theirs.action_space)


@given(content=contents())
def test_a_saved_store_is_loaded_bit_by_bit(content):
    store = store_of(content)
    with TemporaryDirectory() as folder:
        assert_equal_stores(EpisodeStore.load(store.save(Path(folder, "a"))), store)
        half = EpisodeStore.load(store.save(Path(folder, "b"), dtype="float16"))
    for name in ARRAYS:
        before, after = getattr(store, name), getattr(half, name)
        if name in ("obs", "act") and before.dtype == np.float32:
            before = before.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype


@given(content=contents())
def test_flat_columns_are_the_store_again(content):
    store = store_of(content)
    at = store.obs_index(np.arange(store.n_steps))
    columns = (store.obs[at], store.act, store.rew, store.terminated, store.truncated, store.obs[at + 1])
    again = EpisodeStore.from_transitions(*columns, action_space=store.action_space)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), getattr(store, name))


@given(content=contents())
def test_a_replay_buffer_is_the_store_again(content):
    store = store_of(content)
    again = from_buffer(to_buffer(store))
    assert again.lengths.tolist() == store.lengths.tolist()
    np.testing.assert_array_equal(
        again.obs.reshape(len(store.obs), -1), store.obs.reshape(len(store.obs), -1)
    )
    np.testing.assert_array_equal(again.act.reshape(store.n_steps, -1), store.act.reshape(store.n_steps, -1))
    for name in ("rew", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(again, name), getattr(store, name))


COLUMNS = nps.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 4)),
    elements=st.floats(-1e6, 1e6, width=32),
)


@given(data=COLUMNS, gaussian=st.booleans())
def test_a_normalizer_is_saved_and_inverted(data, gaussian):
    fitted = Normalizer.gaussian(data) if gaussian else Normalizer.limits(data)
    saved = safetensors.torch.load(safetensors.torch.save(fitted.state_dict()))
    loaded, x = Normalizer.identity(data.shape[1]), torch.from_numpy(data)
    loaded.load_state_dict(saved)
    assert torch.equal(loaded(x), fitted(x))
    if not gaussian:
        assert loaded(x).abs().max() <= 1 + 1e-5
    size = fitted.scale + fitted.loc.abs()
    assert ((loaded.inverse(loaded(x)) - x).abs() <= 1e-5 * size + 1e-30).all()


@given(n=st.integers(1, 40), start=st.integers(-50, 50), encoding=st.sampled_from(["one_hot", "bits"]))
def test_codes_of_actions_are_saved_and_inverted(n, start, encoding):
    actions = DiscreteActions(n, start, encoding)
    loaded = DiscreteActions(n, 0, encoding)
    loaded.load_state_dict(safetensors.torch.load(safetensors.torch.save(actions.state_dict())))
    act = torch.arange(start, start + n)[:, None].float()
    assert torch.equal(loaded(act), actions(act))
    assert torch.equal(loaded.inverse(loaded(act)), act)
    assert loaded.space == actions.space
