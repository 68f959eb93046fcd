"""Pictures of masks: colored classes over frames.

`palette`        fixed color of each class
`overlay`        masks over frames
`compare_masks`  frame, true mask and predicted mask in one row
"""

import numpy as np
from jaxtyping import UInt8

from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.segmentation.metrics import IGNORED

__all__ = ["compare_masks", "overlay", "palette"]


def palette() -> UInt8[np.ndarray, "20 3"]:
    """Return matplotlib's tab10 colors, followed by their lighter shades of tab20.

    Example:
        >>> palette()[:2].tolist()  # blue and orange
        [[31, 119, 180], [255, 127, 14]]
    """
    from matplotlib import colormaps  # imported here, since it takes long

    colors = np.asarray(colormaps["tab20"](range(20)))[:, :3]
    return (np.concatenate([colors[::2], colors[1::2]]) * 255).round().astype(np.uint8)


@array_arguments(frames=4, masks=3)
def overlay(
    frames: UInt8[np.ndarray, "frames height width channels"],
    masks: UInt8[np.ndarray, "frames height width"],
    opacity: float = 0.6,
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Draw the color of its class over each pixel; pixels with mask 255 stay unchanged.

    Frames may be gray or colored.  Colors repeat after 20 classes.

    Raises:
        ValueError: `masks` do not fit the frames, frames have neither 1 nor 3 channels, or `opacity` is
            outside [0, 1].

    Example:
        >>> frames = np.zeros((1, 1, 3, 1), np.uint8)
        >>> overlay(frames, np.array([[[0, 1, 255]]], np.uint8), opacity=1.0)[0, 0].tolist()
        [[31, 119, 180], [255, 127, 14], [0, 0, 0]]
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"`opacity` must be in [0, 1]. Received {opacity}.")
    if frames.shape[-1] not in (1, 3):
        raise ValueError(
            f"`frames` must have 1 or 3 channels, last. Received {frames.shape[-1]}, in shape {frames.shape}."
        )
    if masks.shape != frames.shape[:3]:
        raise ValueError(
            f"`masks` must be {frames.shape[:3]}, one of each frame's size. Received {masks.shape}."
        )
    colors = palette()[masks % 20]
    mixed = (1 - opacity) * frames + opacity * colors
    drawn = np.where((masks == IGNORED)[..., None], frames, mixed.round())
    return drawn.astype(np.uint8)


@array_arguments(frames=4, truth=3, predicted=3)
def compare_masks(
    frames: UInt8[np.ndarray, "frames height width channels"],
    truth: UInt8[np.ndarray, "frames height width"],
    predicted: UInt8[np.ndarray, "frames height width"],
    opacity: float = 0.6,
) -> UInt8[np.ndarray, "frames height three_widths 3"]:
    """Place each frame, its true mask and its predicted mask in one row.

    Raises:
        ValueError: see `overlay`.

    Example:
        >>> masks = np.zeros((2, 8, 6), np.uint8)
        >>> compare_masks(np.zeros((2, 8, 6, 3), np.uint8), masks, masks).shape
        (2, 8, 18, 3)
    """
    empty = np.full_like(truth, IGNORED)
    return np.concatenate([overlay(frames, mask, opacity) for mask in (empty, truth, predicted)], 2)
