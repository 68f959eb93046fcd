"""Windows of later steps: they never leave their episode, in one buffer or several, full or not."""

from typing import Any

import numpy as np
import pytest
from tianshou.data import Batch, ReplayBuffer, VectorReplayBuffer

from rlpriors.agents.self_prediction.windows import future_steps


def step(number: int, done: bool = False, truncated: bool = False) -> Any:
    """A step from observation `number` to `number` + 1 with the action `number` modulo 10."""
    return Batch(
        obs=np.array([float(number)]),
        act=number % 10,
        rew=0.0,
        terminated=done,
        truncated=truncated,
        obs_next=np.array([number + 1.0]),
        info={},
    )


def test_an_episode_ends_with_its_own_last_observation() -> None:
    buffer = ReplayBuffer(20)
    for number in (0, 1, 2, 100, 101, 102, 103):
        buffer.add(step(number, done=number == 2))
    steps = future_steps(buffer, np.array([0, 1, 2, 3]), 3)
    assert steps.mask.tolist() == [[True] * 3, [True, True, False], [True, False, False], [True] * 3]
    assert steps.obs_next[..., 0].tolist() == [[1, 2, 3], [2, 3, 3], [3, 3, 3], [101, 102, 103]]
    assert steps.act.tolist() == [[0, 1, 2], [1, 2, 2], [2, 2, 2], [0, 1, 2]]


def test_a_truncation_ends_an_episode_too() -> None:
    buffer = ReplayBuffer(20)
    for number in (0, 1, 50):
        buffer.add(step(number, truncated=number == 1))
    assert future_steps(buffer, np.array([0]), 3).mask.tolist() == [[True, True, False]]


def test_a_full_buffer_stops_at_its_write_position() -> None:
    buffer = ReplayBuffer(4)
    for number in range(6):  # rows hold 4, 5, 2, 3
        buffer.add(step(number))
    steps = future_steps(buffer, np.array([0, 2]), 4)
    assert steps.mask.tolist() == [[True, True, False, False], [True] * 4]
    assert steps.obs_next[1, :, 0].tolist() == [3, 4, 5, 6]


def test_environments_are_not_mixed() -> None:
    buffer = VectorReplayBuffer(8, 2)
    for number in range(3):
        buffer.add(Batch.stack([step(number), step(100 + number)]))
    steps = future_steps(buffer, np.array([1, 4]), 5)
    assert steps.mask.sum(1).tolist() == [2, 3]
    assert steps.obs_next[0, :2, 0].tolist() == [2, 3]
    assert steps.obs_next[1, :3, 0].tolist() == [101, 102, 103]


def test_random_buffers_have_consecutive_windows() -> None:
    rng = np.random.default_rng(0)
    buffer = VectorReplayBuffer(60, 3)
    for number in range(70):
        rows = [step(1000 * env + number, done=bool(rng.random() < 0.2)) for env in range(3)]
        buffer.add(Batch.stack(rows))
    indices = buffer.sample_indices(200)
    steps, start = future_steps(buffer, indices, 6), buffer.obs[indices][:, 0]
    expected = start[:, None] + np.arange(1, 7)
    assert (steps.obs_next[..., 0] == expected)[steps.mask].all()
    done = buffer.done[indices]
    assert (steps.mask[:, 1:].sum(1)[done] == 0).all()
    assert (np.diff(steps.mask.astype(int), axis=1) <= 0).all()


def test_a_buffer_without_later_observations() -> None:
    buffer = ReplayBuffer(4, ignore_obs_next=True)
    buffer.add(step(0))
    with pytest.raises(ValueError, match="must store `obs_next`"):
        future_steps(buffer, np.array([0]), 2)
