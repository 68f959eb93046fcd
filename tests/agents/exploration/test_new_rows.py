"""New rows of a buffer: each once, in rings, in several environments, in new buffers."""

import numpy as np
import pytest
from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer, VectorReplayBuffer

from rlpriors.agents.exploration import NewRows


def add(buffer: ReplayBuffer, numbers: list[int], env: int | None = None) -> None:
    for number in numbers:
        step = {"obs": number, "act": 0, "rew": 0.0, "obs_next": 0, "terminated": False, "truncated": False}
        if env is None:
            buffer.add(Batch(**step))
        else:
            buffer.add(Batch({name: np.array([value]) for name, value in step.items()}), buffer_ids=[env])


def taken(tracker: NewRows, buffer: ReplayBuffer) -> list[int]:
    return buffer.obs[tracker.take(buffer)].tolist()


@pytest.mark.parametrize("make", [ReplayBuffer, lambda n: PrioritizedReplayBuffer(n, 0.6, 0.4)])
def test_each_row_of_a_ring_is_returned_once(make) -> None:
    buffer, tracker = make(5), NewRows()
    assert len(tracker.take(buffer)) == 0
    seen, number = [], 0
    for count in (1, 3, 0, 4, 2, 1, 4):
        numbers = list(range(number, number + count))
        number += count
        add(buffer, numbers)
        assert taken(tracker, buffer) == numbers
        seen += numbers
    assert seen == list(range(15))


def test_environments_of_different_speed() -> None:
    buffer, tracker = VectorReplayBuffer(12, 3), NewRows()
    add(buffer, [1, 2], env=1)
    assert taken(tracker, buffer) == [1, 2]
    add(buffer, [3, 4, 5], env=1)
    add(buffer, [6], env=0)
    assert taken(tracker, buffer) == [6, 3, 4, 5]
    add(buffer, [7], env=2)
    assert taken(tracker, buffer) == [7]
    assert taken(tracker, buffer) == []


def test_another_or_an_emptied_buffer_is_new() -> None:
    first, second, tracker = ReplayBuffer(4), ReplayBuffer(4), NewRows()
    add(first, [1, 2])
    add(second, [3])
    assert taken(tracker, first) == [1, 2]
    assert tracker.is_tracking(first)
    assert not tracker.is_tracking(second)
    assert taken(tracker, second) == [3]
    second.reset()
    assert taken(tracker, second) == []
    add(second, [4, 5])
    assert taken(tracker, second) == [4, 5]
