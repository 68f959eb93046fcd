import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.data import observation_shape, select_observation
from rlpriors.data.observations import select_leaves

NESTED = {
    "goal": np.array([[1.0, 2.0], [3.0, 4.0]]),
    "agent": {"xy": np.array([[5.0], [6.0]]), "rays": np.arange(8.0).reshape(2, 2, 2)},
}
SPACE = gym.spaces.Dict(
    {
        "goal": gym.spaces.Box(-1, 1, (2,)),
        "agent": gym.spaces.Dict({"xy": gym.spaces.Box(-1, 1, (1,)), "rays": gym.spaces.Box(0, 1, (2, 2))}),
    }
)


def test_array_comes_back_as_it_is():
    obs = np.ones((3, 4), np.uint8)
    assert select_observation(obs) is obs


def test_one_leaf_keeps_its_shape():
    assert select_observation(NESTED, ["agent/rays"]) is NESTED["agent"]["rays"]


def test_several_leaves_stand_side_by_side_in_the_order_of_keys():
    joined = select_observation(NESTED, ["goal", "agent/rays"], batch_dims=1)
    assert joined.tolist() == [[1, 2, 0, 1, 2, 3], [3, 4, 4, 5, 6, 7]]


def test_all_leaves_are_sorted_by_path():
    joined = select_observation(NESTED, batch_dims=1)
    assert joined.tolist() == [[0, 1, 2, 3, 5, 1, 2], [4, 5, 6, 7, 6, 3, 4]]


def test_scalars_join_without_batch():
    assert select_observation({"a": 1, "b": np.array([2, 3])}).tolist() == [1, 2, 3]


@pytest.mark.parametrize("keys", [None, ["goal"], ["agent/rays"], ["agent/xy", "goal"]])
def test_shape_is_that_of_a_selected_sample(keys):
    assert observation_shape(SPACE, keys) == select_observation(SPACE.sample(), keys).shape


@pytest.mark.parametrize(
    ("space", "shape"),
    [
        (gym.spaces.Discrete(3), ()),
        (gym.spaces.MultiBinary(4), (4,)),
        (gym.spaces.Box(0, 255, (2, 3), np.uint8), (2, 3)),
    ],
)
def test_shape_of_plain_spaces(space, shape):
    assert observation_shape(space) == shape == select_observation(space.sample()).shape


@pytest.mark.parametrize(
    "select", [lambda k: select_observation(NESTED, k), lambda k: observation_shape(SPACE, k)]
)
def test_unknown_key_names_those_there_are(select):
    with pytest.raises(ValueError, match=r"`keys`.*'agent/rays', 'agent/xy', 'goal'.*Received \['gaol'\]"):
        select(["gaol"])
    with pytest.raises(ValueError, match=r"`keys` must name leaves.*Received \[\]"):
        select([])
    with pytest.raises(TypeError, match=r"`keys` must be a sequence of names, such as \[\"goal\"\]"):
        select("goal")


def test_keys_for_a_plain_array_are_refused():
    with pytest.raises(ValueError, match=r"`keys` must be None unless.*plain array. Received \['goal'\]"):
        select_observation(np.zeros(3), ["goal"])
    with pytest.raises(ValueError, match=r"`keys` must be None unless.*Box space"):
        observation_shape(gym.spaces.Box(0, 1, (2,)), ["goal"])


def test_leaves_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"share their first 1 dimensions.*\(3, 2\).*\(4, 2\)"):
        select_observation({"a": np.zeros((3, 2)), "b": np.zeros((4, 2))}, batch_dims=1)


def test_spaces_without_a_fixed_array_are_refused():
    with pytest.raises(ValueError, match=r"must be Box, Discrete.*Received Tuple.*wrap the environment"):
        observation_shape(gym.spaces.Tuple([gym.spaces.Discrete(2)]))


def test_leaves_of_one_name_are_refused() -> None:
    obs = {"a/b": np.zeros(2), "a": {"b": np.ones(2)}}
    with pytest.raises(ValueError, match=r"must have distinct names. Received two leaves 'a/b'"):
        select_observation(obs)
    space = gym.spaces.Dict({"a/b": gym.spaces.Box(-1, 1), "a": gym.spaces.Dict(b=gym.spaces.Box(-1, 1))})
    with pytest.raises(ValueError, match="must have distinct names"):
        observation_shape(space)
    assert select_observation({0: np.zeros(2), 1: np.ones(1)}, ["1", "0"]).tolist() == [1, 0, 0]


def test_leaves_keep_their_kind_and_order():
    tensors = {"goal": torch.ones(2, 2), "agent": {"xy": torch.zeros(2, 1)}}
    goal, xy = select_leaves(tensors, ["goal", "agent/xy"])
    assert goal is tensors["goal"]
    assert xy is tensors["agent"]["xy"]
    assert all(a is b for a, b in zip(select_leaves(tensors), [xy, goal], strict=True))  # sorted by path
    assert select_leaves(goal)[0] is goal
    with pytest.raises(ValueError, match="`keys` must be None unless the observation is a Dict"):
        select_leaves(goal, ["goal"])
