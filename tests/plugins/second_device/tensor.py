"""Tensors of the second device: a CPU tensor in a wrapper whose `device` is another.

`NAME`            name of the device
`SecondTensor`    tensor of the device
`wrap`            tensor of the device that shares memory with a CPU tensor
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import torch
from torch.utils._mode_utils import no_dispatch

from second_device.mixing import refuse_mixed_tensors

__all__ = ["NAME", "SecondTensor", "run", "wrap"]

NAME = "twin"


class SecondTensor(torch.Tensor):
    """Tensor of the second device; `raw` is the CPU tensor that holds its numbers."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> "SecondTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=torch.device(NAME, 0),
            requires_grad=False,
        )

    def __init__(self, raw: torch.Tensor) -> None:
        self.raw = raw

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return run(func, *args, **(kwargs or {}))

    @property
    def data(self) -> torch.Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        torch.Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.raw = value.raw

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor "
            "to host memory first."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.numpy()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"{self.raw!r} on {NAME}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if not self.is_leaf:
            raise RuntimeError("Only Tensors created explicitly by the user support the deepcopy protocol.")
        made = memo[id(self)] = SecondTensor(self.raw.detach().clone())
        made.requires_grad_(self.requires_grad)
        made.__dict__.update(deepcopy({k: v for k, v in self.__dict__.items() if k != "raw"}, memo))
        if self.grad is not None:
            made.grad = deepcopy(self.grad, memo)
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        arguments = (self.detach().cpu(), self.dtype, str(self.device), self.requires_grad)
        return torch._utils._rebuild_device_tensor_from_cpu_tensor, arguments


def wrap(value: Any) -> Any:
    """Return a tensor of the device for a CPU tensor, the same in lists, and anything else unchanged."""
    if isinstance(value, list | tuple):
        return type(value)([wrap(item) for item in value])
    if not isinstance(value, torch.Tensor) or isinstance(value, SecondTensor):
        return value
    # Views of other tensors are no inference tensors, not even inside of inference mode.
    if torch.is_inference_mode_enabled() and not value.is_inference():
        with torch.inference_mode(False):
            return SecondTensor(value)
    return SecondTensor(value)


def unwrap(value: Any, tensors: list[torch.Tensor]) -> Any:
    """Return an argument with CPU tensors in place of those of the device; add all tensors to `tensors`."""
    if isinstance(value, torch.Tensor):
        tensors.append(value)
        return value.raw if isinstance(value, SecondTensor) else value
    if isinstance(value, list | tuple):
        return [unwrap(item, tensors) for item in value]
    return value


def run(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Run an operation of PyTorch on the CPU; its results are on the device where CUDA would put them."""
    if is_composed(func):  # inference mode leaves the composition to the device
        return func.decompose(*args, **kwargs)
    tensors: list[torch.Tensor] = []
    raw_args = [unwrap(value, tensors) for value in args]
    raw_kwargs = {name: unwrap(value, tensors) for name, value in kwargs.items()}
    here = [tensor for tensor in tensors if isinstance(tensor, SecondTensor)]
    if 0 < len(here) < len(tensors):
        refuse_mixed_tensors(func, args, tensors, SecondTensor)
    device = kwargs.get("device")
    if device is not None:
        raw_kwargs["device"] = torch.device("cpu")
    if raw_kwargs.get("pin_memory"):
        raw_kwargs["pin_memory"] = False
    with torch._C._DisableTorchDispatch():
        out = func(*raw_args, **raw_kwargs)
    if not here if device is None else torch.device(device).type != NAME:
        return out
    if not func._schema.is_mutable:
        return wrap(out)
    follow_shape(func, here, args, kwargs)
    given = {id(tensor.raw): tensor for tensor in here}
    if isinstance(out, list | tuple):
        return type(out)([given.get(id(value), wrap(value)) for value in out])
    return given.get(id(out), wrap(out))


@cache
def is_composed(func: Any) -> bool:
    """Return whether PyTorch composes an operation of others on every device."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return has_kernel(func.name(), "CompositeImplicitAutograd") and not has_kernel(func.name(), "CPU")


def follow_shape(func: Any, tensors: list[SecondTensor], args: Any, kwargs: Any) -> None:
    """Give a wrapper the shape that an operation in place, such as `squeeze_`, gave to its CPU tensor."""
    if torch.Tag.inplace_view in func.tags and func._schema.name not in ("aten::resize_", "aten::set_"):
        with no_dispatch():
            func(*args, **kwargs)
    for tensor in tensors:
        if tensor.shape != tensor.raw.shape or tensor.stride() != tensor.raw.stride():
            raise NotImplementedError(f"{func} on the second device: it changes a shape in place.")
