"""Fusion of the encodings of consecutive frames into one input of a policy.

`fuse_frames`     fusion of the last k encodings [batch, k, dim]
`fused_shape`     shape of the result
`FRAME_FUSIONS`   fusion functions by name: "concat", "flare", "stack"
"""

from collections.abc import Callable
from difflib import get_close_matches

import torch
from einops import rearrange
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["FRAME_FUSIONS", "fuse_frames", "fused_shape"]

Stack = Shaped[Tensor, "batch frames *dim"]


def _concat(stack: Stack) -> Shaped[Tensor, "batch *joined"]:
    # Along the first axis of an encoding, as frames are stacked along their channels.
    return stack if stack.ndim == 2 else rearrange(stack, "b k d ... -> b (k d) ...")


def _flare(stack: Stack) -> Shaped[Tensor, "batch *joined"]:
    differences = stack[:, 1:] - stack[:, :-1]
    return _concat(torch.cat([stack[:, -1:], differences], 1))


def _stack(stack: Stack) -> Shaped[Tensor, "batch frames *dim"]:
    return stack


FRAME_FUSIONS: dict[str, Callable[[Tensor], Tensor]] = {"concat": _concat, "flare": _flare, "stack": _stack}
"""Fusion functions by name.  For encodings z1 (oldest) to zk, "concat" concatenates z1 .. zk, "flare"
concatenates zk and the differences z2-z1 .. zk-z(k-1) (after 2101.01857), and "stack" keeps the axis
of frames."""


def fuse_frames(
    stack: Shaped[Tensor, "batch frames *dim"], fusion: str = "concat"
) -> Shaped[Tensor, "batch *fused"]:
    """Fuse encodings, oldest first, by the function of `FRAME_FUSIONS` with the name `fusion`.

    Example:
        >>> z = torch.tensor([[[1.0, 2.0], [4.0, 8.0]]])  # two frames of one environment
        >>> fuse_frames(z, "concat")
        tensor([[1., 2., 4., 8.]])
        >>> fuse_frames(z, "flare")
        tensor([[4., 8., 3., 6.]])

    Raises:
        ValueError: `fusion` is unknown.
    """
    return _find_fusion(fusion)(stack)


def fused_shape(shape: tuple[int, ...], n_frames: int, fusion: str = "concat") -> tuple[int, ...]:
    """Return the shape of `n_frames` fused encodings of `shape` each.

    Example:
        >>> fused_shape((512,), n_frames=4, fusion="flare")
        (2048,)

    Raises:
        ValueError: `fusion` is unknown, or `n_frames` is below 1.
    """
    if n_frames < 1:
        raise ValueError(f"`n_frames` must be at least 1. Received {n_frames}.")
    return tuple(_find_fusion(fusion)(torch.empty(1, n_frames, *shape, device="meta")).shape[1:])


def _find_fusion(fusion: str) -> Callable[[Tensor], Tensor]:
    if fusion not in FRAME_FUSIONS:
        close = get_close_matches(fusion, FRAME_FUSIONS, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"`fuse` must be one of {list(FRAME_FUSIONS)}. Received {fusion!r}.{hint}")
    return FRAME_FUSIONS[fusion]
