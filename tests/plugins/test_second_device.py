"""Rules of CUDA about devices, on the second device or on a GPU: the same tests run on both."""

import ast
import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from second_device.cannot_run import CANNOT_RUN
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]

MIXED: dict[str, Callable[[Tensor], Any]] = {
    "sum": lambda x: x + torch.ones(3),
    "sum with a number of the device": lambda x: torch.ones(3) + x[0],
    "in place": lambda x: x.mul_(torch.ones(3)),
    "matrix product": lambda x: x @ torch.ones(3, 2),
    "linear": lambda x: nn.Linear(3, 2)(x),
    "cat": lambda x: torch.cat([x, torch.ones(3)]),
    "stack of numbers": lambda x: torch.stack([x[0], torch.tensor(1.0)]),
    "index of the device": lambda x: torch.ones(3)[x.long()],
    "lookup": lambda x: nn.functional.embedding(torch.tensor([1]), x[:, None]),
    "loss": lambda x: nn.functional.mse_loss(x, torch.ones(3)),
    "choice": lambda x: torch.where(x > 1, x, torch.ones(3)),
    "generator of the CPU": lambda x: torch.rand(2, device=x.device, generator=torch.Generator()),
    "generator of the device": lambda x: torch.rand(2, generator=torch.Generator(device=x.device)),
    "generator in place": lambda x: x.normal_(generator=torch.Generator()),
}


@pytest.mark.cuda
@pytest.mark.parametrize("case", MIXED)
@pytest.mark.parametrize("inference", [False, True])
def test_mixed_devices_are_refused(case: str, inference: bool, cuda_device: str) -> None:
    x = torch.tensor([0.0, 1.0, 2.0], device=cuda_device)
    with torch.inference_mode(inference), pytest.raises(RuntimeError, match="device"):
        MIXED[case](x)


MIXTURES: dict[str, tuple[Callable[[Tensor], Tensor], list[float]]] = {
    "number of the CPU": (lambda x: x * torch.tensor(2.0), [0, 2, 4]),
    "number in place": (lambda x: x.add_(torch.tensor(2.0)), [2, 3, 4]),
    "index of the CPU": (lambda x: x[torch.tensor([2, 0])], [2, 0]),
    "list as an index": (lambda x: x[[2, 0]], [2, 0]),
    "copy": (lambda x: x.copy_(torch.ones(3)), [1, 1, 1]),
    "fill": (lambda x: x.masked_fill(x > 1, torch.tensor(7.0)), [0, 1, 7]),
}


@pytest.mark.cuda
@pytest.mark.parametrize("case", MIXTURES)
def test_mixtures_that_cuda_takes(case: str, cuda_device: str) -> None:
    operation, expected = MIXTURES[case]
    found = operation(torch.tensor([0.0, 1.0, 2.0], device=cuda_device))
    assert found.device.type == cuda_device
    assert found.tolist() == expected


CREATED: dict[str, Callable[[str], Tensor]] = {
    "numbers": lambda device: torch.tensor([0, 1, 2], device=device),
    "array": lambda device: torch.as_tensor(np.arange(3), device=device),
    "range": lambda device: torch.arange(3, device=device),
    "like another": lambda device: torch.zeros(1, device=device).new_tensor([0, 1, 2]),
    "moved": lambda device: torch.arange(3).to(device),
    "size depends on the numbers": lambda device: torch.ones(3, device=device).nonzero()[:, 0],
    "without repeats": lambda device: torch.tensor([2, 0, 1, 1], device=device).unique(),
    "shape in place": lambda device: torch.arange(3, device=device)[None].squeeze_(0),
}


@pytest.mark.cuda
@pytest.mark.parametrize("case", CREATED)
def test_created_on_the_device(case: str, cuda_device: str) -> None:
    found = CREATED[case](cuda_device)
    assert found.device == torch.device(cuda_device, 0)
    assert found.shape == (3,)
    assert found.tolist() == [0, 1, 2]
    assert found.cpu().numpy().tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match=r"can't convert .* to numpy\. Use Tensor\.cpu\(\)"):
        found.numpy()
    with pytest.raises(TypeError, match="to numpy"):
        np.asarray(found)


@pytest.mark.cuda
def test_inference_mode_keeps_views_of_weights(cuda_device: str) -> None:
    weight = nn.Parameter(torch.ones(2, device=cuda_device))
    with torch.inference_mode():
        assert not weight.expand(3, 2).is_inference()
        assert (weight + 1).is_inference()
        assert weight.expand(3, 2).sum().item() == 6


@pytest.mark.cuda
def test_autocast_chooses_the_types_of_cuda(cuda_device: str) -> None:
    network, x = nn.Linear(2, 2, device=cuda_device), torch.ones(2, 2, device=cuda_device)
    with torch.autocast(cuda_device, torch.bfloat16):
        y = network(x)
        types = [y.dtype, (y + y).dtype, y.softmax(1).dtype, torch.cat([y, x]).dtype, y.sum().dtype]
        y.softmax(1).sum().backward()
    assert types == [torch.bfloat16] * 2 + [torch.float32] * 3
    assert network.weight.grad is not None
    assert network.weight.grad.dtype == torch.float32
    assert network(x).dtype == torch.float32


@pytest.mark.cuda
def test_a_step_of_gradient_descent(cuda_device: str) -> None:
    network = nn.Linear(1, 1, device=cuda_device)
    nn.init.ones_(network.weight)
    nn.init.zeros_(network.bias)
    network(torch.full((1, 1), 3.0, device=cuda_device)).square().sum().backward()  # (3 w + b)^2
    copied = copy.deepcopy(network)
    torch.optim.SGD(network.parameters(), lr=0.01).step()  # d/dw = 2 * 3 * 3, d/db = 2 * 3
    assert network.weight.item() == pytest.approx(1 - 0.18)
    assert network.bias.item() == pytest.approx(-0.06)
    assert copied.weight.item() == 1
    assert copied.weight.grad is not None
    assert copied.weight.grad.item() == 18


@pytest.mark.cuda
def test_conversion_and_files(cuda_device: str) -> None:
    network = nn.Linear(2, 2).to(cuda_device).double()
    assert network.weight.device.type == cuda_device
    assert network(torch.ones(1, 2, device=cuda_device, dtype=torch.float64)).dtype == torch.float64
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    for place in ("cpu", cuda_device):
        file.seek(0)
        found = torch.load(file, weights_only=True, map_location=place)["weight"]
        assert found.device.type == place
        assert torch.equal(found.cpu(), network.weight.detach().cpu())


@pytest.mark.cuda
def test_a_generator_of_the_device_repeats_its_numbers(cuda_device: str) -> None:
    generator = torch.Generator(device=cuda_device)
    assert generator.device.type == cuda_device
    assert isinstance(torch.default_generator, torch.Generator)
    first, second = (
        torch.randn(4, device=cuda_device, generator=generator.manual_seed(0)).tolist() for _ in range(2)
    )
    assert first == second


def marked_tests(path: Path) -> set[str]:
    """Names of the tests of a file that mention the mark `cuda` in their decorators."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and any("mark.cuda" in ast.unparse(decorator) for decorator in node.decorator_list)
    }


@pytest.mark.parametrize("name", CANNOT_RUN)
def test_the_tests_that_cannot_run_exist(name: str) -> None:
    path, function = name.split("::")
    assert function in marked_tests(ROOT / path)
    assert CANNOT_RUN[name]
