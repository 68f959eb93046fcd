"""Errors of operations on tensors of both devices, under the rules of CUDA.

`refuse_mixed_tensors`      a tensor of the CPU among those of the device
`refuse_other_generator`    a random generator of the other device
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

__all__ = ["refuse_mixed_tensors", "refuse_other_generator"]

CROSSING = {"copy_", "_to_copy", "_copy_from", "_copy_from_and_resize", "_foreach_copy_"}
"""Operations that copy from one device to the other."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put"}
"""Operations that take indices of the CPU, as their second argument."""
WITH_SCALARS = {"fill", "fill_", "masked_fill", "masked_fill_", *INDEXING}
"""Operations, next to the pointwise ones, that take a CPU tensor without dimensions for a number."""


def refuse_mixed_tensors(func: Any, args: Sequence[Any], tensors: list[torch.Tensor], kind: type) -> None:
    """Raise `RuntimeError` if `func` is given CPU tensors next to tensors of class `kind`, as CUDA does.

    `tensors` are all tensors among the arguments.
    """
    name = func._schema.name.removeprefix("aten::")
    if name in CROSSING:
        return
    here = [tensor for tensor in tensors if isinstance(tensor, kind)]
    others = [tensor for tensor in tensors if not isinstance(tensor, kind)]
    if name in INDEXING and isinstance(args[0], kind):
        others = [tensor for tensor in others if not any(tensor is index for index in args[1])]
    if any(tensor.dim() > 0 or not takes_scalars(func) for tensor in others):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{here[0].device} and {others[0].device}! (in aten::{name})"
        )


@cache
def takes_scalars(func: Any) -> bool:
    """Return whether CUDA's version of an operation takes a CPU tensor without dimensions for a number."""
    name = func._schema.name.removeprefix("aten::")
    if name in WITH_SCALARS or name.startswith("_foreach_"):
        return True
    # Some operations that work in place lack the tag of the others.
    packet = getattr(torch.ops.aten, name.removesuffix("_"), None)
    forms = [func, getattr(packet, func._overloadname, func)]
    return any(torch.Tag.pointwise in form.tags for form in forms)


def refuse_other_generator(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Raise `RuntimeError` if a call is given a generator of another device than that of its result."""
    generator = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Generator)), None)
    if generator is None:
        return
    device = kwargs.get("device")
    if device is None:
        tensor = next((x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)), None)
        device = torch.get_default_device() if tensor is None else tensor.device
    kind = torch.device(device).type
    if generator.device.type != kind:
        raise RuntimeError(
            f"Expected a '{kind}' device type for generator but found '{generator.device.type}'"
        )
