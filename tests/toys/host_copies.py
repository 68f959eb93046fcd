"""Count of the tensors that an operation moves between a device and the host."""

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class HostCopies(TorchDispatchMode):
    """Context that records operations with tensors of a device and of the CPU, by the size of the largest.

    `moved` are the operations on more than one number, and `read` those that return one number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[str] = []
        self.read: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        returned = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if len({tensor.device.type for tensor in (*given, *returned) if tensor.numel() > 1}) > 1:
            self.moved.append(str(func))
        on_device = any(tensor.device.type != "cpu" for tensor in given)
        if on_device and any(isinstance(leaf, bool | int | float) for leaf in tree_leaves(out)):
            self.read.append(str(func))
        return out
