"""Several encoded frames to one vector: what single frames cannot show is how things move.

`fuse`        the last k encodings [batch, k, dim] to one for the policy
`fuse_shape`  the shape of the result
`FUSES`       the ways there are: "concat", "flare", "stack"
"""

from collections.abc import Callable
from difflib import get_close_matches

import torch
from einops import rearrange
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["FUSES", "fuse", "fuse_shape"]

Stack = Shaped[Tensor, "batch frames *dim"]


def _concat(stack: Stack) -> Shaped[Tensor, "batch *joined"]:
    # Along the first axis of a frame's encoding, as frames are stacked along their channels.
    return stack if stack.ndim == 2 else rearrange(stack, "b k d ... -> b (k d) ...")


def _flare(stack: Stack) -> Shaped[Tensor, "batch *joined"]:
    changes = stack[:, 1:] - stack[:, :-1]
    return _concat(torch.cat([stack[:, -1:], changes], 1))


def _stack(stack: Stack) -> Shaped[Tensor, "batch frames *dim"]:
    return stack


FUSES: dict[str, Callable[[Tensor], Tensor]] = {"concat": _concat, "flare": _flare, "stack": _stack}
"""Ways to fuse by name.  For encodings z1 (oldest) to zk: concat is z1 .. zk end to end; flare is zk
and then z2-z1 .. zk-z(k-1), after 2101.01857; stack keeps the axis of frames."""


def fuse(stack: Shaped[Tensor, "batch frames *dim"], how: str = "concat") -> Shaped[Tensor, "batch *fused"]:
    """Fuse encodings, oldest first, in one of the ways of `FUSES`.

    Example:
        >>> z = torch.tensor([[[1.0, 2.0], [4.0, 8.0]]])  # two frames of one environment
        >>> fuse(z, "concat")
        tensor([[1., 2., 4., 8.]])
        >>> fuse(z, "flare")
        tensor([[4., 8., 3., 6.]])

    Raises:
        ValueError: there is no such way.
    """
    return _way(how)(stack)


def fuse_shape(shape: tuple[int, ...], frames: int, how: str = "concat") -> tuple[int, ...]:
    """Shape of what `fuse` makes of `frames` encodings of `shape` each.

    Example:
        >>> fuse_shape((512,), frames=4, how="flare")
        (2048,)

    Raises:
        ValueError: there is no such way, or `frames` is below 1.
    """
    if frames < 1:
        raise ValueError(f"`frames` must be at least 1. Received {frames}.")
    return tuple(_way(how)(torch.empty(1, frames, *shape, device="meta")).shape[1:])


def _way(how: str) -> Callable[[Tensor], Tensor]:
    if how not in FUSES:
        close = get_close_matches(how, FUSES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"`fuse` must be one of {list(FUSES)}. Received {how!r}.{hint}")
    return FUSES[how]
