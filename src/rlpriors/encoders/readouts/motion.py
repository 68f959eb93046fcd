"""What moved between two frames, and what a network sees of a frame through it.

`frame_difference`  how much each pixel changed
`optical_flow`      where each pixel came from (pyramidal Lucas-Kanade, on the frames' device)
`motion_energy`     either as one number per pixel; `motion_mask` the same as a mask from 0 to 1
`ViewReadout`       what readouts that encode several images per frame share
`MotionMask`        the frame and its moving part, PEARL's FM+ and DM+

PEARL: github.com/PAL-ML/PEARL_v1.  There the moving part alone is worse than the whole frame, and
both together are better; flow comes from RAFT, a network, and the difference from SSIM.
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Readout, Views
from rlpriors.encoders.readouts.pooling import ClassToken
from rlpriors.types import Features

__all__ = [
    "MOTIONS",
    "MotionMask",
    "ViewReadout",
    "check_motion",
    "frame_difference",
    "motion_energy",
    "motion_mask",
    "optical_flow",
]

MOTIONS = ("difference", "flow")
_RIDGE = 1.0
Frames = Shaped[Tensor, "batch height width channels"]


def frame_difference(frames: Frames, previous: Frames) -> Float[Tensor, "batch height width"]:
    """The absolute change of each pixel, summed over channels.

    Example:
        >>> before, now = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
        >>> now[0, 0, 1] = torch.tensor([3.0, 0.0, 4.0])
        >>> frame_difference(now, before)
        tensor([[[0., 7.],
                 [0., 0.]]])
    """
    return (frames.float() - previous.float()).abs().sum(-1)


def optical_flow(
    frames: Frames, previous: Frames, *, window: int = 9, iterations: int = 4
) -> Float[Tensor, "batch 2 height width"]:
    """How far (x to the right, y down; pixels) what is at each pixel of `frames` moved since `previous`.

    Frames are bytes, or floats in [0, 1].

    Lucas and Kanade's least squares over a square of `window` pixels, repeated `iterations` times on
    each level of a pyramid of halved images.  Where an image has no texture, nothing is seen to move;
    what moves by more than half its own size is seen poorly.

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
        flow = _refined(now, before, flow, window, iterations)
    return flow


def motion_energy(frames: Frames, previous: Frames, by: str) -> Float[Tensor, "batch height width"]:
    """How much moves at each pixel: its change ("difference") or its speed in pixels ("flow")."""
    check_motion(by)
    if by == "difference":
        return frame_difference(frames, previous)
    speed: Tensor = torch.linalg.vector_norm(optical_flow(frames, previous), dim=1)
    # What is less is rounding, and would decide between places where nothing moves.
    return torch.where(speed > 0.01, speed, 0.0)


def motion_mask(
    frames: Frames, previous: Frames, by: str, margin: int = 4
) -> Float[Tensor, "batch height width"]:
    """From 0 (still) to 1 (moving) for each pixel; 1 everywhere in a frame where nothing moves.

    "difference": 1 within `margin` pixels of any change.  "flow": speed over the frame's largest
    speed.  (PEARL draws the bounding boxes of what SSIM finds changed instead of a margin.)
    """
    energy = motion_energy(frames, previous, by)
    if by == "difference":
        changed = (energy > 0).float()[:, None]
        rows = functional.max_pool2d(changed, (2 * margin + 1, 1), stride=1, padding=(margin, 0))
        mask = functional.max_pool2d(rows, (1, 2 * margin + 1), stride=1, padding=(0, margin))[:, 0]
    else:
        largest = energy.amax((1, 2), keepdim=True)
        mask = energy / torch.where(largest > 0, largest, 1.0)
    still = mask.amax((1, 2), keepdim=True) == 0
    return torch.where(still, 1.0, mask)


class ViewReadout(Readout):
    """A readout that has several images encoded for each frame, read by `inner` and joined end to end.

    A subclass writes `views`.

    Raises:
        ValueError: `inner` itself cuts frames up.

    Example:
        >>> class Twice(ViewReadout):
        ...     label, views_per_frame = "twice", 2
        ...     def views(self, frames, previous=None):
        ...         rows = torch.arange(len(frames))
        ...         return Views((frames,), torch.stack([rows, rows], 1), torch.zeros_like(rows))
        >>> twice = Twice()
        >>> twice.join(torch.ones(3, 8), twice.views(torch.zeros(3, 4, 4, 1)).order).shape
        torch.Size([3, 16])
    """

    def __init__(self, inner: Readout | None = None) -> None:
        super().__init__()
        self.inner = ClassToken() if inner is None else inner
        if self.inner.views_per_frame > 1 or self.inner.needs_previous:
            raise ValueError(
                f"`inner` must read one image, as 'mean' or 'grid(2)' do. Received {self.inner.name!r}."
            )
        self.trainable = self.inner.trainable

    def inner_argument(self) -> tuple[Any, ...]:
        """`inner` as it stands in the name: left out where it is "cls"."""
        return () if isinstance(self.inner, ClassToken) else (self.inner,)

    def lacks(self, features: Features) -> str | None:
        return self.inner.lacks(features)

    def make(self, features: Features, seed: int) -> None:
        self.inner.build(features, seed)

    def read(self, features: Features) -> Tensor:
        return self.inner.read(features)

    def views(self, frames: Frames, previous: Frames | None = None) -> Views:
        raise NotImplementedError(f"{type(self).__name__} does not say what it shows: write `views`.")

    def join(
        self, vectors: Float[Tensor, "images *out"], order: Int[Tensor, "batch views"]
    ) -> Float[Tensor, "batch joined"]:
        return vectors[order.to(vectors.device)].flatten(1)


class MotionMask(ViewReadout):
    """The whole frame and, beside it, what moves in it on black (PEARL's FM+ and DM+).

    With `alone` the moving part without the whole frame (FM, DM).

    Raises:
        ValueError: `by` is not one of `MOTIONS`, or `inner` itself cuts frames up.

    Example:
        >>> readout = MotionMask("difference")
        >>> before, now = torch.zeros(1, 16, 16, 3), torch.full((1, 16, 16, 3), 9.0)
        >>> now[:, :, 8:] = 0
        >>> [part.shape[0] for part in readout.views(now, before).parts], readout.name
        ([2], 'motion-mask(difference)')
    """

    label = "motion-mask"
    needs_previous = True

    def __init__(self, by: str = "difference", *, alone: bool = False, inner: Readout | None = None) -> None:
        super().__init__(inner)
        check_motion(by)
        self.by, self.alone = by, alone
        self.views_per_frame = 1 if alone else 2

    @classmethod
    def from_arguments(cls, by: str = "difference", *options: Any) -> "MotionMask":
        """From the arguments of a name: "motion-mask(flow,alone,mean)".

        Raises:
            ValueError: an option is neither "alone" nor a readout.
        """
        inner = next((option for option in options if isinstance(option, Readout)), None)
        rest = [option for option in options if option is not inner]
        if rest not in ([], ["alone"]):
            raise ValueError(f"`motion-mask` takes 'alone' and one readout. Received {options}.")
        return cls(by, alone=bool(rest), inner=inner)

    def arguments(self) -> tuple[Any, ...]:
        return (self.by, *(("alone",) if self.alone else ()), *self.inner_argument())

    def views(self, frames: Frames, previous: Frames | None = None) -> Views:
        before = frames if previous is None else previous
        mask = motion_mask(frames, before, self.by)[..., None]
        moving = frames * mask if frames.is_floating_point() else (frames * mask).round().to(frames.dtype)
        images = moving if self.alone else torch.cat([frames, moving])
        rows = torch.arange(len(images), device=frames.device)
        order = rearrange(rows, "(v b) -> b v", v=self.views_per_frame)
        return Views((images,), order, rows // max(len(frames), 1) + self.alone)


def check_motion(by: Any) -> None:
    """Refuse a measure of motion that is not known."""
    if by not in MOTIONS:
        raise ValueError(f"`by` must be one of {MOTIONS}. Received {by!r}.")


def _gray(frames: Tensor) -> Float[Tensor, "batch 1 height width"]:
    gray = frames.float().mean(-1)[:, None]
    return gray * 255 if frames.is_floating_point() else gray


def _refined(now: Tensor, before: Tensor, flow: Tensor, window: int, iterations: int) -> Tensor:
    dx, dy = _slopes(now)
    xx, xy, yy = _averaged(dx * dx, window), _averaged(dx * dy, window), _averaged(dy * dy, window)
    # A ridge on the flow itself, of one gray level per pixel: a flat area next to something that moves
    # would otherwise keep the speed that the coarser level, where the two touch, has guessed for it.
    xx, yy = xx + _RIDGE, yy + _RIDGE
    determinant = xx * yy - xy * xy
    for _ in range(iterations):
        # The flow that would undo what is left of the change, pixel by pixel; the window then agrees on
        # one.  (Solving for a step of the flow instead diverges: each pixel is fetched by its own.)
        along = dx * flow[:, :1] + dy * flow[:, 1:] - (now - _fetched(before, flow))
        ex, ey = _averaged(dx * along, window), _averaged(dy * along, window)
        flow = torch.cat([yy * ex - xy * ey, xx * ey - xy * ex], 1) / determinant
    return flow


def _slopes(image: Tensor) -> tuple[Tensor, Tensor]:
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return dx, dy


def _averaged(values: Tensor, window: int) -> Tensor:
    # Along rows, then along columns: a square at once costs window / 2 times as much.
    for kernel, padding in (((1, window), (0, window // 2)), ((window, 1), (window // 2, 0))):
        values = functional.avg_pool2d(values, kernel, stride=1, padding=padding, count_include_pad=False)
    return values


def _fetched(image: Tensor, flow: Tensor) -> Tensor:
    rows, columns = image.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(rows, device=image.device), torch.arange(columns, device=image.device), indexing="ij"
    )
    # grid_sample wants places from -1 to 1; a side of one pixel has only its middle.
    at_x = 2 * (x - flow[:, 0]) / max(columns - 1, 1) - 1
    at_y = 2 * (y - flow[:, 1]) / max(rows - 1, 1) - 1
    places = torch.stack([at_x, at_y], -1)
    return functional.grid_sample(image, places, padding_mode="border", align_corners=True)
