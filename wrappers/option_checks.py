"""Checks that an encoder, the encode options and an observation's images fit together.

`check_no_gradients`  check that the encoder is not trained
`check_leaf`          check of one image against `stack`, `keep_pixels`, `cache` and `readout`
`is_clip`             test for a stack of frames that the encoder reads as one clip
"""

from typing import Any

import gymnasium as gym

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.wrappers.encode_options import EncodeOptions
from rlpriors.wrappers.images.image_leaf import ImageLeaf
from rlpriors.wrappers.images.observation_tree import select_leaf

__all__ = ["check_leaf", "check_no_gradients", "is_clip"]


def check_no_gradients(encoder: ImageEncoder) -> None:
    """Check that no weight of the encoder requires gradients.

    Raises:
        ValueError: a weight does.
    """
    trainable = [name for name, weight in encoder.named_parameters() if weight.requires_grad]
    if trainable:
        raise ValueError(
            f"`encoder` must not be trainable, but {len(trainable)} of its weights require gradients. "
            f"Received {trainable[0]!r} and others; call its `freeze()`, or put a trainable encoder inside "
            "the policy (EncoderNetwork)."
        )


def is_clip(leaf: ImageLeaf, encoder: ImageEncoder) -> bool:
    """Return True for a stack of frames that an encoder of clips reads as one image."""
    return leaf.n_frames > 1 and leaf.n_frames == encoder.spec.frames


def check_leaf(leaf: ImageLeaf, space: gym.Space[Any], encoder: ImageEncoder, options: EncodeOptions) -> None:
    """Check one image of the observation space `space` against the options.

    Raises:
        ValueError: an option does not fit this image; the message names the option.
    """
    what, clip, readout = f"the observation{leaf.quoted_name}", is_clip(leaf, encoder), encoder.readout
    if options.stack > 1 and leaf.n_frames > 1 and not clip:
        raise ValueError(
            f"`stack` must be 1 if {what} is already a stack. Received {options.stack} with shape "
            f"{leaf.space.shape}; remove one of the two (the wrapper's stack encodes each frame once)."
        )
    parent = select_leaf(space, leaf.path[:-1])
    if options.keep_pixels and isinstance(parent, gym.spaces.Tuple):
        raise ValueError(
            f"`keep_pixels` needs a Dict, which has a name for the pixels of {what}. Received {space}; "
            "convert the Tuple to a Dict, or set `keep_pixels` to False."
        )
    if options.keep_pixels and leaf.path and leaf.pixels_name in list(parent):
        raise ValueError(
            f"`keep_pixels` needs the name {leaf.pixels_name!r} next to {leaf.name!r}, which is taken. "
            f"Received {space}; rename that leaf, or set `keep_pixels` to False."
        )
    if options.cache is not None and not leaf.pixel_range.is_bytes:
        raise ValueError(
            f"`cache` finds images by their bytes and needs integers, but {what} is {leaf.space.dtype}. "
            f"Received {options.cache!r}; use uint8 images, or set `cache` to None."
        )
    if clip and (options.cache is not None or readout.views_per_frame > 1 or readout.needs_previous):
        raise ValueError(
            f"{encoder.spec.name!r} reads {what} as clips of {leaf.n_frames} frames, which allow neither "
            f"`cache` nor a `readout` that cuts frames. Received cache={options.cache!r} and "
            f"readout={readout.name!r}."
        )
