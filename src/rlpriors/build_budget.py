"""Bounds for building a module from its settings.

`BuildBudget`        context manager that limits the tensors of a module from a file by the file's weights
`MachineBudget`      context manager that limits the tensors of a new module by the machine's memory
`BuildBudgetError`   error of a body that asks for more

A configuration of a few bytes can ask for a network of any size.  The weights in its file bound the
memory that the network can need, and each tensor is checked before its memory is allocated.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["BuildBudget", "BuildBudgetError", "MachineBudget"]

# A policy is built with its critics and their targets, an encoder with an example of its features.
FACTOR, SPARE_BYTES, SPARE_TENSORS = 8, 2**28, 10_000


class BuildBudgetError(ValueError):
    """Error of settings that ask for more memory than their file's weights fill, or than the machine has."""


class BuildBudget(TorchDispatchMode):
    """Context manager that limits the tensors created in its body to a multiple of given weights.

    The body may create eight times the numbers and the tensors of `weights`, plus 256 MiB and 10,000
    tensors.

    Raises:
        BuildBudgetError: the body creates more; the tensor that exceeds the bound is not allocated.

    Example:
        >>> with BuildBudget({"weight": torch.zeros(3)}):
        ...     layer = torch.nn.Linear(12_000, 12_000)
        Traceback (most recent call last):
        ...
        rlpriors.build_budget.BuildBudgetError: The settings must fit the weights, which fill 12 bytes. ...
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.weight_bytes = 4 * sum(tensor.numel() for tensor in weights.values())
        self.bytes_left = FACTOR * self.weight_bytes + SPARE_BYTES
        self.tensors_left = FACTOR * len(weights) + SPARE_TENSORS

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True would import torch's compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__.startswith("new_"):
            self._take(math.prod(args[1]) * args[0].element_size())
        elif not any(isinstance(value, torch.Tensor) for value in tree_leaves((args, kwargs))):
            size = (kwargs.get("dtype") or torch.get_default_dtype()).itemsize
            self._take(int(_created_numbers(func.overloadpacket.__name__, args)) * size)
        return func(*args, **kwargs)

    def _take(self, n_bytes: int) -> None:
        self.bytes_left -= n_bytes
        self.tensors_left -= 1
        if self.bytes_left < 0 or self.tensors_left < 0:
            raise self._error(n_bytes)

    def _error(self, n_bytes: int) -> BuildBudgetError:
        return BuildBudgetError(
            f"The settings must fit the weights, which fill {self.weight_bytes:,} bytes. Received "
            f"settings whose next tensor of {n_bytes:,} bytes exceeds {FACTOR} times the weights. Do not "
            "use this file, or save the module again with its own settings."
        )


class MachineBudget(BuildBudget):
    """Context manager that limits the tensors created in its body to the memory of the machine.

    Args:
        sizes: the settings that determine the sizes of the tensors; the error names them.

    Raises:
        BuildBudgetError: the body creates more; the tensor that exceeds the memory is not allocated.

    Example:
        >>> with MachineBudget(width=2**40):
        ...     layer = torch.nn.Linear(2**40, 2**40)
        Traceback (most recent call last):
        ...
        rlpriors.build_budget.BuildBudgetError: `width` must be smaller for the memory of this machine, ...
    """

    def __init__(self, **sizes: object) -> None:
        super().__init__({})
        self.sizes = sizes
        self.memory = self.bytes_left = _machine_bytes()
        self.tensors_left = 2**62

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]
        if isinstance(error, TypeError | RuntimeError) and "verflow" in str(error):
            raise self._error(None) from error  # the size exceeds 64 bits, which torch refuses before

    def _error(self, n_bytes: int | None) -> BuildBudgetError:
        names = ", ".join(f"`{name}`" for name in self.sizes)
        received = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        needed = "more than 2**63" if n_bytes is None else f"{n_bytes:,}"
        return BuildBudgetError(
            f"{names} must be smaller for the memory of this machine, {self.memory:,} bytes. Received "
            f"{received}, which need a tensor of {needed} bytes."
        )


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # on Windows
        return 2**40


def _created_numbers(name: str, args: tuple[Any, ...]) -> float:
    """Return the number of entries of the tensor that an operator without input tensors creates."""
    if name == "arange":
        start, end, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
        return float((end - start) / step)
    if name in ("linspace", "logspace"):
        return float(args[2])
    if name == "eye":
        return float(args[0] * args[-1])
    if name == "randperm":
        return float(args[0])
    sizes = next((value for value in args if isinstance(value, list | tuple)), [0])
    return float(math.prod(sizes))
