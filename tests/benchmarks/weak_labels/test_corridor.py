"""The corridor: its wall, its goal, and the length of the way."""

import numpy as np
import pytest
from benchmarks.weak_labels.corridor import GOAL, STEPS, Corridor, path_length
from benchmarks.weak_labels.progress import METHODS, progress


def walk(*moves: tuple[float, float, int], turn: float = 0.7) -> tuple[Corridor, float]:
    env, total = Corridor(turn), 0.0
    env.reset(seed=0)
    for dx, dy, n in moves:
        for _ in range(n):
            _, reward, terminated, _, _ = env.step(np.array([dx, dy]))
            total += reward
            if terminated:
                return env, total
    return env, total


def test_the_wall_stops_the_short_way_and_the_long_way_ends_at_the_goal() -> None:
    env, total = walk((0, 1, 10))
    assert env.at[1] <= 0.2
    assert total == 0
    env, total = walk((1, 0, 10), (0, 1, 3), (-1, 0, 12))
    assert total == 1
    assert env.time < 30


def test_an_episode_is_truncated() -> None:
    env = Corridor()
    env.reset(seed=0)
    ends = [env.step(np.zeros(2))[2:4] for _ in range(STEPS)]
    assert ends[-1] == (False, True)
    assert ends[-2] == (False, False)


def test_the_length_of_the_way_by_hand() -> None:
    lengths = path_length(np.array([[0.05, 0.1], [0.8, 0.1], GOAL, [0.45, 0.3]]), turn=0.7)
    # The middle of the passage is 0.8: 0.75 there, 0.2 up, 0.75 back.
    assert lengths == pytest.approx([1.7, 0.95, 0.0, 0.4])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains(method: str) -> None:
    rates = dict(progress(method, seed=0, n_groups=1, turn=0.7))
    assert list(rates) == [0]
    assert 0 <= rates[0] <= 1
