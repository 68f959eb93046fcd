"""Trees of observations: paths with any keys, replaced leaves."""

import gymnasium as gym

from rlpriors.wrappers.images.observation_tree import iter_leaves, leaf_name, select_leaf, set_leaves

BOX = gym.spaces.Box(-1, 1, (2,))
SPACE = gym.spaces.Dict({"a/b": BOX, "a": gym.spaces.Dict({"b": BOX}), "pair": gym.spaces.Tuple((BOX, BOX))})


def test_paths_are_distinct_even_if_names_are_equal() -> None:
    paths = [path for path, _ in iter_leaves(SPACE)]
    assert sorted(paths, key=str) == [("a", "b"), ("a/b",), ("pair", 0), ("pair", 1)]
    assert [leaf_name(path) for path in paths].count("a/b") == 2
    assert list(iter_leaves(BOX)) == [((), BOX)]


def test_leaves_are_replaced_in_dictionaries_and_tuples() -> None:
    obs = {"a/b": 1, "a": {"b": 2}, "pair": (3, 4), 5: 6}
    replaced = set_leaves(obs, {("a", "b"): 20, ("pair", 1): 40, (5,): 60})
    assert replaced == {"a/b": 1, "a": {"b": 20}, "pair": (3, 40), 5: 60}
    assert obs["pair"] == (3, 4)
    assert select_leaf(replaced, ("pair", 1)) == 40


def test_leaves_of_spaces_are_replaced() -> None:
    other = gym.spaces.Discrete(3)
    space = set_leaves(SPACE, {("pair", 0): other, ("a", "c"): other})
    assert space["pair"] == gym.spaces.Tuple((other, BOX))
    assert space["a"]["c"] == other
    assert space["a/b"] == BOX
