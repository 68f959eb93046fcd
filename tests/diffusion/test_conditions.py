"""Condition: which entries are known, and what becomes of them."""

import pytest
import torch

from rlpriors.diffusion import Condition


def test_a_start_state_knows_the_leading_entries_of_the_first_frame() -> None:
    start = Condition.fix_steps(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), horizon=3, dim=3)
    assert start.mask.int().tolist() == [[[1, 1, 0], [0, 0, 0], [0, 0, 0]]] * 2
    assert start.value[:, 0].tolist() == [[1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]


def test_a_goal_knows_the_last_frame() -> None:
    goal = Condition.fix_steps(torch.full((1, 1, 2), 5.0), horizon=3, dim=2, first=-1)
    assert goal.mask[0, :, 0].tolist() == [False, False, True]


def test_a_history_knows_several_frames() -> None:
    history = Condition.fix_steps(torch.arange(4.0).reshape(1, 2, 2), horizon=4, dim=3, first=1)
    assert history.mask[0, :, 0].tolist() == [False, True, True, False]
    assert history.value[0, 1:3, :2].tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_apply_writes_a_copy() -> None:
    x = torch.zeros(1, 2, 1)
    written = Condition.fix_steps(torch.ones(1, 1, 1), horizon=2, dim=1).apply(x)
    assert written.flatten().tolist() == [1.0, 0.0]
    assert x.flatten().tolist() == [0.0, 0.0]


def test_combining_keeps_both_and_the_right_one_wins() -> None:
    left = Condition.fix_steps(torch.full((1, 2, 1), 1.0), horizon=3, dim=1)
    right = Condition.fix_steps(torch.full((1, 2, 1), 2.0), horizon=3, dim=1, first=1)
    assert (left | right).apply(torch.zeros(1, 3, 1)).flatten().tolist() == [1.0, 2.0, 2.0]
    assert (right | left).apply(torch.zeros(1, 3, 1)).flatten().tolist() == [1.0, 1.0, 2.0]


def test_repeat_keeps_candidates_of_a_row_together() -> None:
    start = Condition.fix_steps(torch.tensor([[[1.0]], [[2.0]]]), horizon=2, dim=1)
    repeated = start.repeat(3)
    assert repeated.value[:, 0, 0].tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert repeated.mask.shape == (6, 2, 1)
    one_knows = Condition(torch.tensor([[[True]], [[False]]]), torch.zeros(2, 1, 1)).repeat(2)
    assert one_knows.mask.flatten().tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("shape", "first", "message"),
    [
        ((1, 3, 1), 0, "window of 2 steps of 2 entries. Received 3 steps of 1 entries, from step 0 on"),
        ((1, 1, 3), 0, "Received 1 steps of 3 entries"),
        ((1, 1, 1), 2, "from step 2 on"),
        ((1, 2, 1), -1, "Received 2 steps of 1 entries, from step -1 on"),
        ((1, 1, 1), -3, "from step -3 on"),
    ],
)
def test_known_steps_must_fit(shape: tuple[int, ...], first: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Condition.fix_steps(torch.zeros(shape), horizon=2, dim=2, first=first)
