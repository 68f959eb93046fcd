"""Automatic mixed precision: the data types that CUDA's `torch.autocast` chooses, for the second device.

`register_autocast`    make the operations cast their inputs inside `torch.autocast`
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["register_autocast"]

KEY = "AutocastPrivateUse1"
LOWER = [
    *("mm", "bmm", "mv", "addmm", "addmv", "addbmm", "baddbmm", "matmul", "linear", "prelu"),
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d.input", "conv_transpose3d.input"),
    *("_convolution", "scaled_dot_product_attention"),
]
"""Operations in the lower precision."""
FULL = [
    *(
        "exp",
        "expm1",
        "log",
        "log1p",
        "log2",
        "log10",
        "pow.Tensor_Scalar",
        "pow.Tensor_Tensor",
        "rsqrt",
        "acos",
    ),
    *(
        "reciprocal",
        "cosh",
        "sinh",
        "tan",
        "asin",
        "softplus",
        "layer_norm",
        "native_layer_norm",
        "group_norm",
    ),
    *("norm.Scalar", "cosine_similarity", "cdist", "dist", "renorm", "softmax.int", "log_softmax.int"),
    *("cumsum", "cumprod", "prod", "prod.dim_int", "sum", "sum.dim_IntList", "mse_loss", "l1_loss"),
    *("smooth_l1_loss", "huber_loss", "nll_loss", "cross_entropy_loss", "binary_cross_entropy_with_logits"),
    *("kl_div", "cosine_embedding_loss", "triplet_margin_loss", "soft_margin_loss", "linalg_vector_norm"),
]
"""Operations in full precision."""
WIDEST = [
    "cat",
    "stack",
    "addcmul",
    "addcdiv",
    "atan2",
    "bilinear",
    "cross",
    "dot",
    "index_put",
    "grid_sampler",
]
"""Operations in the widest type among their inputs."""


def register_autocast(library: torch.library.Library, name: str) -> None:
    """Make the operations on device `name` cast their inputs inside `torch.autocast(name)`."""
    for operations, choose in ((LOWER, lower), (FULL, full), (WIDEST, widest)):
        for operation in operations:
            library.impl(operation, make_kernel(operation, choose, name), KEY)


def lower(tensors: list[torch.Tensor], name: str) -> torch.dtype:
    return torch.get_autocast_dtype(name)


def full(tensors: list[torch.Tensor], name: str) -> torch.dtype:
    return torch.float32


def widest(tensors: list[torch.Tensor], name: str) -> torch.dtype:
    types = {tensor.dtype for tensor in tensors}
    return torch.float32 if torch.float32 in types else torch.get_autocast_dtype(name)


def make_kernel(operation: str, choose: Callable[..., torch.dtype], name: str) -> Callable[..., Any]:
    """Return an operation that casts its floating-point inputs, double precision excepted, and runs."""
    packet, _, overload = operation.partition(".")
    func = getattr(getattr(torch.ops.aten, packet), overload or "default")

    def kernel(*args: Any, **kwargs: Any) -> Any:
        keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)  # type: ignore[attr-defined]
        with torch._C._ExcludeDispatchKeyGuard(keys):
            leaves = tree_leaves((args, kwargs))
            tensors = [leaf for leaf in leaves if is_cast(leaf, name)]
            dtype = choose(tensors, name)
            args, kwargs = tree_map(lambda x: x.to(dtype) if is_cast(x, name) else x, (args, kwargs))
            return func(*args, **kwargs)

    return kernel


def is_cast(value: Any, name: str) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.device.type == name
        and value.is_floating_point()
        and value.dtype != torch.float64
    )
