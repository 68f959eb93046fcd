"""Deep sea: returns by hand, the seeded actions and the environment's checks."""

import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rlpriors.envs import make_env
from rlpriors.envs.deep_sea import DeepSea


def episode(env: DeepSea, moves: str) -> tuple[float, list[tuple[int, int]], bool]:
    """Play moves, "r" or "l": the return, the visited cells, and whether the treasure was found."""
    obs, _ = env.reset()
    total, cells, success = 0.0, [], False
    for move in moves:
        cell = int(obs.argmax())
        cells.append(divmod(cell, env.size))
        right = bool(env.right[divmod(cell, env.size)])
        obs, reward, terminated, truncated, info = env.step(int(right == (move == "r")))
        total, success = total + reward, success or info["is_success"]
        assert not truncated
    assert terminated
    assert not obs.any()
    return total, cells, success


@pytest.mark.parametrize("seed", [None, 0, 3])
@pytest.mark.parametrize(
    ("moves", "expected", "cells", "success"),
    [
        # each move to the right costs .01 / 4 = .0025
        ("rrrr", 1 - 0.01, [(0, 0), (1, 1), (2, 2), (3, 3)], True),
        ("llll", 0.0, [(0, 0), (1, 0), (2, 0), (3, 0)], False),
        ("rrrl", -0.0075, [(0, 0), (1, 1), (2, 2), (3, 3)], False),
        ("rlrr", -0.0075, [(0, 0), (1, 1), (2, 0), (3, 1)], False),
        ("lrrr", -0.0075, [(0, 0), (1, 0), (2, 1), (3, 2)], False),
    ],
)
def test_returns_by_hand(seed, moves, expected, cells, success) -> None:
    total, visited, found = episode(DeepSea(4, mapping_seed=seed), moves)
    assert total == pytest.approx(expected)
    assert visited == cells
    assert found is success


def test_only_one_policy_of_all_finds_the_treasure() -> None:
    env, size = DeepSea(5, mapping_seed=1), 5
    results = [episode(env, f"{k:0{size}b}".replace("0", "l").replace("1", "r")) for k in range(2**size)]
    assert sum(found for _, _, found in results) == 1
    returns = np.array([total for total, _, _ in results])
    assert returns.max() == pytest.approx(0.99)
    assert returns.argmax() == 2**size - 1
    assert np.sort(returns)[-2] == 0


def test_the_seed_fixes_the_actions() -> None:
    maps = [DeepSea(8, mapping_seed=seed).right for seed in (0, 0, 1)]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert 0.2 < np.mean(maps[0] != maps[2]) < 0.8
    assert 0.2 < maps[0].mean() < 0.8
    assert DeepSea(8, mapping_seed=None).right.all()


def test_it_is_a_registered_environment() -> None:
    env = make_env("DeepSea-v0", size=6, mapping_seed=4)
    np.testing.assert_array_equal(env.unwrapped.right, DeepSea(6, mapping_seed=4).right)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)


def test_bad_arguments() -> None:
    for arguments, message in (
        ({"size": 0}, "`size` must be at least 1"),
        ({"move_cost": 1.0}, r"`move_cost` must be in \[0, 1\)"),
        ({"mapping_seed": -1}, "`mapping_seed` must be at least 0"),
    ):
        with pytest.raises(ValueError, match=message):
            DeepSea(**arguments)
    env = DeepSea(1)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)
    env.reset()
    with pytest.raises(ValueError, match="`action` must be 0 or 1"):
        env.step(2)
