"""Optical flow between two frames by pyramidal Lucas-Kanade, on the frames' device.

`optical_flow`   displacement of each pixel since the previous frame
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Frames

__all__ = ["optical_flow"]

RIDGE = 1.0


def optical_flow(
    frames: Frames, previous: Frames, *, window: int = 9, iterations: int = 4
) -> Float[Tensor, "batch 2 height width"]:
    """Return the displacement of each pixel since `previous`, in pixels (x to the right, y down).

    Frames are uint8, or floats in [0, 1].

    The method is pyramidal Lucas-Kanade: least squares over a square of `window` pixels, repeated
    `iterations` times on each level of a pyramid of halved images.  The flow is 0 in regions without
    texture, and inaccurate for objects that move by more than half their own size.

    Raises:
        ValueError: `window` is not odd, or `iterations` is below 1.

    Example:
        >>> x = torch.arange(32.0)
        >>> wave = lambda shift: (0.5 + 0.4 * torch.sin((x - shift) / 3)).expand(1, 32, 32)[..., None]
        >>> optical_flow(wave(1.5), wave(0.0))[0, :, 16, 16].round(decimals=1)
        tensor([1.5000, 0.0000])
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f"`window` must be odd and at least 3. Received {window}.")
    if iterations < 1:
        raise ValueError(f"`iterations` must be at least 1. Received {iterations}.")
    levels = [(_gray(frames), _gray(previous))]
    while min(levels[-1][0].shape[-2:]) >= 4 * window:
        now, before = levels[-1]
        levels.append((functional.avg_pool2d(now, 2), functional.avg_pool2d(before, 2)))
    flow = torch.zeros_like(levels[-1][0]).repeat(1, 2, 1, 1)
    for now, before in reversed(levels):
        size = (now.shape[-2], now.shape[-1])
        if flow.shape[-2:] != now.shape[-2:]:
            flow = 2 * functional.interpolate(flow, size, mode="bilinear", align_corners=False)
        flow = _refine_flow(now, before, flow, window, iterations)
    return flow


def _gray(frames: Tensor) -> Float[Tensor, "batch 1 height width"]:
    gray = frames.float().mean(-1)[:, None]
    return gray * 255 if frames.is_floating_point() else gray


def _refine_flow(now: Tensor, before: Tensor, flow: Tensor, window: int, iterations: int) -> Tensor:
    dx, dy = _gradients(now)
    xx, xy, yy = _box_filter(dx * dx, window), _box_filter(dx * dy, window), _box_filter(dy * dy, window)
    # Ridge regularization of the flow, of one gray level per pixel.  Without it, a flat region next to a
    # moving object would keep the speed that the coarser level, where the two overlap, estimated for it.
    xx, yy = xx + RIDGE, yy + RIDGE
    determinant = xx * yy - xy * xy
    for _ in range(iterations):
        # The window solves for the whole flow that cancels the remaining change.  Solving for an update
        # of the flow instead diverges, because each pixel is warped by its own displacement.
        target = dx * flow[:, :1] + dy * flow[:, 1:] - (now - _warp(before, flow))
        ex, ey = _box_filter(dx * target, window), _box_filter(dy * target, window)
        flow = torch.cat([yy * ex - xy * ey, xx * ey - xy * ex], 1) / determinant
    return flow


def _gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return dx, dy


def _box_filter(values: Tensor, window: int) -> Tensor:
    # Along rows, then along columns: one square filter would cost window / 2 times as much.
    for kernel, padding in (((1, window), (0, window // 2)), ((window, 1), (window // 2, 0))):
        values = functional.avg_pool2d(values, kernel, stride=1, padding=padding, count_include_pad=False)
    return values


def _warp(image: Tensor, flow: Tensor) -> Tensor:
    rows, columns = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(rows, device=image.device), torch.arange(columns, device=image.device), indexing="ij"
    )
    # grid_sample takes coordinates from -1 to 1; a side of one pixel has only its center.
    grid_x = 2 * (x - flow[:, 0]) / max(columns - 1, 1) - 1
    grid_y = 2 * (y - flow[:, 1]) / max(rows - 1, 1) - 1
    grid = torch.stack([grid_x, grid_y], -1)
    return functional.grid_sample(image, grid, padding_mode="border", align_corners=True)
