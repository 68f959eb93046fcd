"""Functions of PyTorch that a device written in Python cannot provide.

`SecondDeviceMode`    context in which a generator of another device is refused
`Generator`           stand-in for `torch.Generator` that knows the device
`load`                stand-in for `torch.load` that moves tensors to the device
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from second_device.mixing import refuse_other_generator
from second_device.tensor import NAME

__all__ = ["Generator", "SecondDeviceMode", "load"]

PlainGenerator = torch.Generator
plain_load = torch.load


class SecondDeviceMode(TorchFunctionMode):
    """Context in which a random function refuses a generator of another device than that of its result."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        refuse_other_generator(args, kwargs)
        return func(*args, **kwargs)


def load(file: Any, map_location: Any = None, **kwargs: Any) -> Any:
    """Run `torch.load`, with any `map_location`."""
    if not isinstance(map_location, str | torch.device) or not is_second(map_location):
        return plain_load(file, map_location, **kwargs)
    loaded = plain_load(file, "cpu", **kwargs)
    return tree_map_only(torch.Tensor, lambda tensor: tensor.to(map_location), loaded)


def is_second(device: Any) -> bool:
    """Return whether a `device` argument names the second device."""
    return device is not None and torch.device(device).type == NAME


class GeneratorType(type(PlainGenerator)):  # type: ignore[misc]
    """Class of classes that regards each generator of PyTorch as an instance."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, PlainGenerator)


class Generator(PlainGenerator, metaclass=GeneratorType):
    """Random generator of either device; it draws on the CPU, as the operations do."""

    place: torch.device

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made: Generator = PlainGenerator.__new__(cls, "cpu" if is_second(device) else device)  # type: ignore[call-arg]
        made.place = torch.device(NAME, 0) if is_second(device) else torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        pass

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.place
