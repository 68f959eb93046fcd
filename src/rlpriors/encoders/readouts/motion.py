"""Motion between two frames, as a measure per pixel, a mask and a readout.

`frame_difference`       absolute change of each pixel
`motion_energy`          frame difference or speed of the optical flow, one number per pixel
`motion_mask`            the same as a mask from 0 to 1
`MotionMask`             readout of the frame and its moving regions, PEARL's FM+ and DM+
`MOTION_MEASURES`        names of the measures
`check_motion_measure`   check of such a name

PEARL: github.com/PAL-ML/PEARL_v1.  In PEARL the moving regions alone perform worse than the whole
frame, and both together perform better.  PEARL computes flow with RAFT, a network, and the
difference with SSIM.
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Frames, ImageViews, Readout
from rlpriors.encoders.readouts.multi_view import MultiViewReadout
from rlpriors.encoders.readouts.optical_flow import optical_flow

__all__ = [
    "MOTION_MEASURES",
    "MotionMask",
    "check_motion_measure",
    "frame_difference",
    "motion_energy",
    "motion_mask",
]

MOTION_MEASURES = ("difference", "flow")


def check_motion_measure(measure: Any) -> None:
    """Raise a ValueError if `measure` is not one of `MOTION_MEASURES`."""
    if measure not in MOTION_MEASURES:
        raise ValueError(f"`measure` must be one of {MOTION_MEASURES}. Received {measure!r}.")


def frame_difference(frames: Frames, previous: Frames) -> Float[Tensor, "batch height width"]:
    """Return the absolute change of each pixel, summed over channels.

    Example:
        >>> before, now = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 3)
        >>> now[0, 0, 1] = torch.tensor([3.0, 0.0, 4.0])
        >>> frame_difference(now, before)
        tensor([[[0., 7.],
                 [0., 0.]]])
    """
    return (frames.float() - previous.float()).abs().sum(-1)


def motion_energy(frames: Frames, previous: Frames, measure: str) -> Float[Tensor, "batch height width"]:
    """Return the change of each pixel ("difference") or its speed in pixels ("flow")."""
    check_motion_measure(measure)
    if measure == "difference":
        return frame_difference(frames, previous)
    speed: Tensor = torch.linalg.vector_norm(optical_flow(frames, previous), dim=1)
    # Smaller speeds are rounding errors, and would rank regions in which nothing moves.
    return torch.where(speed > 0.01, speed, 0.0)


def motion_mask(
    frames: Frames, previous: Frames, measure: str, margin: int = 4
) -> Float[Tensor, "batch height width"]:
    """Return a mask from 0 (still) to 1 (moving); 1 everywhere in a frame in which nothing moves.

    "difference": 1 within `margin` pixels of any change.  "flow": speed divided by the frame's
    largest speed.  (PEARL uses bounding boxes of the regions that SSIM reports, not a margin.)
    """
    energy = motion_energy(frames, previous, measure)
    if measure == "difference":
        changed = (energy > 0).float()[:, None]
        rows = functional.max_pool2d(changed, (2 * margin + 1, 1), stride=1, padding=(margin, 0))
        mask = functional.max_pool2d(rows, (1, 2 * margin + 1), stride=1, padding=(0, margin))[:, 0]
    else:
        largest = energy.amax((1, 2), keepdim=True)
        mask = energy / torch.where(largest > 0, largest, 1.0)
    still = mask.amax((1, 2), keepdim=True) == 0
    return torch.where(still, 1.0, mask)


class MotionMask(MultiViewReadout):
    """Readout of two views: the whole frame, and its moving regions on black (PEARL's FM+ and DM+).

    With `alone` the only view is the moving regions (FM, DM).

    Raises:
        ValueError: `measure` is not one of `MOTION_MEASURES`, or `inner` itself has several views per
            frame.

    Example:
        >>> readout = MotionMask("difference")
        >>> before, now = torch.zeros(1, 16, 16, 3), torch.full((1, 16, 16, 3), 9.0)
        >>> now[:, :, 8:] = 0
        >>> [len(batch) for batch in readout.make_views(now, before).batches], readout.name
        ([2], 'motion-mask(difference)')
    """

    label = "motion-mask"
    needs_previous = True

    def __init__(
        self, measure: str = "difference", *, alone: bool = False, inner: Readout | None = None
    ) -> None:
        super().__init__(inner)
        check_motion_measure(measure)
        self.measure, self.alone = measure, alone
        self.views_per_frame = 1 if alone else 2

    @classmethod
    def from_arguments(cls, measure: str = "difference", *options: Any) -> "MotionMask":
        """Create the readout from the arguments of a specification such as "motion-mask(flow,alone,mean)".

        Raises:
            ValueError: an option is neither "alone" nor a readout.
        """
        inner = next((option for option in options if isinstance(option, Readout)), None)
        rest = [option for option in options if option is not inner]
        if rest not in ([], ["alone"]):
            raise ValueError(f"`motion-mask` takes 'alone' and one readout. Received {options}.")
        return cls(measure, alone=bool(rest), inner=inner)

    def arguments(self) -> tuple[Any, ...]:
        return (self.measure, *(("alone",) if self.alone else ()), *self.inner_argument())

    def make_views(self, frames: Frames, previous: Frames | None = None) -> ImageViews:
        before = frames if previous is None else previous
        mask = motion_mask(frames, before, self.measure)[..., None]
        moving = frames * mask if frames.is_floating_point() else (frames * mask).round().to(frames.dtype)
        images = moving if self.alone else torch.cat([frames, moving])
        rows = torch.arange(len(images), device=frames.device)
        indices = rearrange(rows, "(v b) -> b v", v=self.views_per_frame)
        return ImageViews((images,), indices, rows // max(len(frames), 1) + self.alone)
