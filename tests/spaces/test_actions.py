"""Action spaces of recorded data: checks, files and the paths by which data enter."""

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.spaces.actions import check_action_spaces, check_actions, space_from_json, space_to_json

UNIT = gym.spaces.Box(-1, 1, (1,))
SPACES = [
    UNIT,
    gym.spaces.Box(np.array([-np.inf, 0.1]), np.array([2.0, np.inf]), dtype=np.float64),
    gym.spaces.Box(0, 255, (2,), np.uint8),
    gym.spaces.Discrete(3, start=-1),
    gym.spaces.MultiDiscrete([2, 4], start=[1, 0]),
    gym.spaces.MultiBinary((2, 3)),
]


def store_of(*actions: Any, space: gym.Space[Any] | None = None) -> EpisodeStore:
    act = np.array(actions)
    obs = np.zeros((len(act) + 1, 2))
    return EpisodeStore.from_episodes([Episode(obs, act, *np.zeros((3, len(act))))] * 2, action_space=space)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_samples_of_a_space_belong_to_it(space: gym.Space[Any]) -> None:
    space.seed(0)
    check_actions("act", np.array([space.sample() for _ in range(50)]), space)
    assert space_from_json(space_to_json(space)) == space


@pytest.mark.parametrize(
    ("space", "actions", "message"),
    [
        (UNIT, [[0.5], [1.79]], "Box(-1.0, 1.0, (1,), float32). Received [1.79] at step 1 of episode 0"),
        (gym.spaces.Discrete(2), [0, -1], "Discrete(2), 0..1. Received -1 at step 1 of episode 0"),
        (gym.spaces.Discrete(2, start=1), [2, 0], "Discrete(2, start=1), 1..2. Received 0 at step 1"),
        (gym.spaces.Discrete(2), [1.7, 1.0], "Discrete(2), integers. Received float32"),
        (gym.spaces.MultiDiscrete([2, 4]), [[1, 3], [2, 0]], "Received [2 0] at step 1"),
        (gym.spaces.MultiBinary(2), [[0, 1], [2, 0]], "Received [2 0] at step 1"),
        (
            UNIT,
            [[0], [1]],
            "floating-point numbers. Received int64; give data of the same environment, or these numbers as "
            "floats",
        ),
        (UNIT, [[0.0, 0.0]], "of shape (1,). Received shape (2,)"),
        (gym.spaces.Text(3), [0], "must be Box, Discrete, MultiDiscrete or MultiBinary. Received Text"),
    ],
)
def test_actions_outside_of_the_space_are_refused_by_a_store(
    space: gym.Space[Any], actions: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        store_of(*actions, space=space)


def test_the_error_names_the_episode() -> None:
    with pytest.raises(ValueError, match=r"Received \[3\.\] at step 1 of episode 7; record"):
        check_actions("act", np.array([[0.0], [0.5], [3.0]]), UNIT, np.array([1, 2]), first_episode=6)


def test_rounding_of_float16_is_tolerated(tmp_path: Path) -> None:
    box = gym.spaces.Box(-0.3, 0.3, (1,))  # 0.3 is 0.30005 in float16
    loaded = EpisodeStore.load(store_of([0.3], [-0.3], space=box).save(tmp_path / "a.safetensors", "float16"))
    assert loaded.act[0, 0] > 0.3
    assert loaded.action_space == box


def test_a_store_carries_its_action_space(tmp_path: Path) -> None:
    store = store_of([0.5], [1.0], space=UNIT)
    same = [
        store.subset([1]),
        store.relabel(lambda obs, act, obs_next, terminated: act[:, 0]),
        EpisodeStore.load(store.save(tmp_path / "a.safetensors")),
    ]
    assert [part.action_space for part in same] == [UNIT] * 3
    assert EpisodeStore.load(store_of([0.5]).save(tmp_path / "b.safetensors")).action_space is None


def test_two_known_spaces_must_agree() -> None:
    check_action_spaces("a", None, "b", UNIT)
    with pytest.raises(ValueError, match=r"`policy` must have the action space of `data`, Box\(-1.*Box\(0"):
        check_action_spaces("`policy`", gym.spaces.Box(0, 5, (1,)), "`data`", UNIT)
