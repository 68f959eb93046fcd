"""Image leaves of observation spaces.

`find_images`  image leaves of an observation space that fit an encoder
`image_names`  names of all uint8 images of an observation space
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.encoders.preprocess import accepted_channels
from rlpriors.wrappers.images.image_layout import detect_layout, split_layout
from rlpriors.wrappers.images.image_leaf import ImageLeaf
from rlpriors.wrappers.images.observation_tree import LeafPath, iter_leaves, leaf_name
from rlpriors.wrappers.images.pixel_range import PixelRange

__all__ = ["find_images", "image_names"]

Layout = str | Mapping[str, str] | None


def find_images(
    space: gym.Space[Any],
    obs_keys: Sequence[str] | None,
    layout: Layout,
    channels: int,
    *,
    is_stack: bool = False,
) -> list[ImageLeaf]:
    """Return the image leaves for an encoder of `channels` channels.

    Without `obs_keys` these are all uint8 images (Box(0, 255, ...) of two to four axes) of a Dict or Tuple,
    or the observation itself.  `layout` names the axes of all images, or maps names of leaves to theirs.
    Without it, the axes must be unambiguous; see `image_layout.detect_layout`.  `is_stack` states that the
    first axis of each leaf is a stack of frames.

    Raises:
        ValueError: there is no image, a key is unknown, a leaf is no image, its axes are ambiguous or do
            not fit the encoder, or its space declares no range of pixels.
        TypeError: `obs_keys` is a string.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> space = gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))})
        >>> [(leaf.name, leaf.layout) for leaf in find_images(space, None, None, channels=3)]
        [('camera', 'HWC')]
        >>> atari = gym.spaces.Box(0, 255, (4, 84, 84), np.uint8)
        >>> find_images(atari, None, "THW", channels=3)[0].n_frames
        4
    """
    leaves = _choose_leaves(space, obs_keys)
    names = [leaf_name(path) for path, _ in leaves]
    if isinstance(layout, Mapping):
        unknown = [name for name in layout if name not in names]
        if unknown:
            raise ValueError(
                f"`layout` must map names of images to their axes; the images are {names}. Received the "
                f"names {list(layout)}."
            )
    layouts = [layout.get(name) if isinstance(layout, Mapping) else layout for name in names]
    return [_image_leaf(*leaf, axes, channels, is_stack) for leaf, axes in zip(leaves, layouts, strict=True)]


def image_names(space: gym.Space[Any]) -> list[str]:
    """Return the names of all uint8 images, Box(0, 255, ...) of two to four axes.

    The name of an observation that is an image itself is "".

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> image_names(gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))}))
        ['camera']
    """
    return [leaf_name(path) for path, leaf in iter_leaves(space) if _is_byte_image(leaf)]


def _choose_leaves(
    space: gym.Space[Any], obs_keys: Sequence[str] | None
) -> list[tuple[LeafPath, gym.Space[Any]]]:
    if isinstance(obs_keys, str):
        raise TypeError(
            f'`obs_keys` must be a sequence of names, such as ["{obs_keys}"]. Received {obs_keys!r}.'
        )
    leaves = list(iter_leaves(space))
    is_tree = isinstance(space, gym.spaces.Dict | gym.spaces.Tuple)
    if obs_keys is None:
        # An observation that is no tree is the only candidate, of any data type.
        chosen = [leaf for leaf in leaves if (_is_byte_image if is_tree else _has_image_axes)(leaf[1])]
    elif not is_tree:
        raise ValueError(
            f"`obs_keys` must be None unless the observation is a Dict or Tuple. Received {obs_keys!r} for a "
            f"{type(space).__name__}; remove `obs_keys`."
        )
    else:
        chosen = _named_leaves(leaves, [str(key) for key in obs_keys])
    if not chosen:
        raise ValueError(
            "The observation must hold an image, uint8 in 0..255 with two to four axes. Received "
            f"{space} with obs_keys={obs_keys!r}; PixelObservation adds images to any environment, and "
            "`obs_keys` names images of other data types in a Dict."
        )
    return chosen


def _named_leaves(
    leaves: Sequence[tuple[LeafPath, gym.Space[Any]]], names: Sequence[str]
) -> list[tuple[LeafPath, gym.Space[Any]]]:
    counts = Counter(leaf_name(path) for path, _ in leaves)
    if any(name not in counts for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"`obs_keys` must name leaves of the observation, each once: {sorted(counts)}. Received {names}."
        )
    shared = [name for name in names if counts[name] > 1]
    if shared:
        raise ValueError(
            f"`obs_keys` must name one leaf each. Received {shared[0]!r}, which names {counts[shared[0]]} "
            'leaves, since a key contains "/" or is an integer next to the same string; rename that key.'
        )
    by_name = {leaf_name(path): (path, leaf) for path, leaf in leaves}
    return [by_name[name] for name in names]


def _has_image_axes(space: gym.Space[Any]) -> bool:
    return isinstance(space, gym.spaces.Box) and 2 <= len(space.shape) <= 4


def _is_byte_image(space: gym.Space[Any]) -> bool:
    if not isinstance(space, gym.spaces.Box) or space.dtype != np.uint8 or not _has_image_axes(space):
        return False
    return bool((space.low == 0).all() and (space.high == 255).all())


def _image_leaf(
    path: LeafPath, space: gym.Space[Any], layout: str | None, channels: int, is_stack: bool
) -> ImageLeaf:
    name = leaf_name(path)
    what = f"The observation {name!r}" if name else "The observation"
    if not isinstance(space, gym.spaces.Box) or not _has_image_axes(space):
        raise ValueError(
            f"{what} must be an image, a Box of two to four axes. Received {space}; name only image leaves "
            "in `obs_keys`."
        )
    pixel_range = PixelRange.of_space(space, what)
    if layout is None:
        layout = detect_layout(space.shape, channels, what, is_stack=is_stack)
    split_layout(layout, space.shape)
    leaf = ImageLeaf(path, space, layout, pixel_range)
    accepted = accepted_channels(channels)
    if leaf.channels not in accepted:
        raise ValueError(
            f"{what} must have {' or '.join(map(str, accepted))} channels for this encoder. "
            f"Received {leaf.channels} in shape {space.shape}, read as {layout!r}; set `layout`: "
            '"HWT" is a stack of gray frames along the last axis, and "HWA" has alpha, which is dropped.'
        )
    return leaf
