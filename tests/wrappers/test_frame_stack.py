"""FrameStack against a list of frames for each environment."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.wrappers.frame_stack import FrameStack


def rows(*numbers: int) -> Tensor:
    return torch.tensor(numbers)


def test_by_hand() -> None:
    frame_stack = FrameStack(n_envs=1, stack=3, shape=(2,))
    frame_stack.fill(rows(0), torch.tensor([[1.0, -1.0]]))
    frame_stack.push(rows(0), torch.tensor([[2.0, -2.0]]))
    assert frame_stack.read(rows(0)).tolist() == [[[1, -1], [1, -1], [2, -2]]]
    assert frame_stack.peek(rows(0), torch.tensor([[3.0, -3.0]])).tolist() == [[[1, -1], [2, -2], [3, -3]]]
    assert frame_stack.read(rows(0)).tolist() == [[[1, -1], [1, -1], [2, -2]]]  # a look leaves it as it was
    frame_stack.push(rows(0), torch.tensor([[3.0, -3.0]]))
    frame_stack.push(rows(0), torch.tensor([[4.0, -4.0]]))
    assert frame_stack.read(rows(0)).tolist() == [[[2, -2], [3, -3], [4, -4]]]


@pytest.mark.parametrize("stack", [1, 2, 4])
@pytest.mark.parametrize("frame", [(), (3,), (2, 2)])
def test_any_order_of_calls_is_a_list_for_each_row(stack: int, frame: tuple[int, ...]) -> None:
    rng, n = np.random.default_rng(0), 5
    frame_stack, lists = FrameStack(n, stack, frame), [[torch.zeros(frame)] * stack for _ in range(n)]
    for _ in range(60):
        chosen = rng.permutation(n)[: rng.integers(1, n + 1)]
        frames = torch.from_numpy(rng.normal(size=(len(chosen), *frame)).astype(np.float32))
        with torch.inference_mode():
            frames = frames * 1.0  # as an encoder gives them
        peeked = frame_stack.peek(torch.from_numpy(chosen), frames)
        for row, i in enumerate(chosen):
            assert torch.equal(peeked[row], torch.stack([*lists[i][1:], frames[row]]))
        begins = rng.random() < 0.3
        (frame_stack.fill if begins else frame_stack.push)(torch.from_numpy(chosen), frames)
        for row, i in enumerate(chosen):
            lists[i] = [frames[row]] * stack if begins else [*lists[i][1:], frames[row]]
        stacks = frame_stack.read(torch.arange(n))
        assert torch.equal(stacks, torch.stack([torch.stack(one) for one in lists]))


def test_what_is_read_stays_as_it_is_and_may_go_into_a_graph() -> None:
    frame_stack = FrameStack(1, 2, (1,))
    frame_stack.fill(rows(0), torch.ones(1, 1))
    stacks, later = frame_stack.read(rows(0)), frame_stack.peek(rows(0), torch.full((1, 1), 2.0))
    frame_stack.push(rows(0), torch.full((1, 1), 3.0))
    assert stacks.flatten().tolist() == [1, 1]
    assert later.flatten().tolist() == [1, 2]
    assert not stacks.is_inference()
    assert not later.is_inference()


def test_no_rows_are_no_work() -> None:
    frame_stack, none = FrameStack(2, 2, (1,)), torch.zeros(0, dtype=torch.long)
    frame_stack.push(none, torch.zeros(0, 1))
    frame_stack.fill(none, torch.zeros(0, 1))
    assert frame_stack.peek(none, torch.zeros(0, 1)).shape == (0, 2, 1)


@pytest.mark.cuda
def test_on_cuda_it_stays_there(cuda_device: str) -> None:
    frame_stack, both = FrameStack(2, 2, (3,), cuda_device), torch.arange(2, device=cuda_device)
    frame_stack.fill(both, torch.ones(2, 3, device=cuda_device))
    frame_stack.push(both, torch.zeros(2, 3, device=cuda_device))
    assert frame_stack.read(both).device.type == cuda_device
    assert frame_stack.read(both)[:, :, 0].tolist() == [[1, 0], [1, 0]]


def test_adding_starts_some_episodes_and_continues_others() -> None:
    frame_stack, rows = FrameStack(3, 3, (1,)), torch.tensor([2, 0])
    frame_stack.fill(torch.arange(3), torch.tensor([[1.0], [2.0], [3.0]]))
    frame_stack.add(rows, torch.tensor([[30.0], [10.0]]), torch.tensor([False, True]))
    assert frame_stack.read(torch.arange(3))[..., 0].tolist() == [[10, 10, 10], [2, 2, 2], [3, 3, 30]]
    frame_stack.add(torch.arange(3), torch.tensor([[11.0], [20.0], [31.0]]), torch.zeros(3, dtype=torch.bool))
    assert frame_stack.read(torch.arange(3))[..., 0].tolist() == [[10, 10, 11], [2, 2, 20], [3, 30, 31]]
