"""Image leaves of observation spaces and their axes.

`ImageLeaf`    one image of an observation: its path, space and axes
`LeafPath`     keys that lead to a leaf
`find_images`  image leaves of an observation space that fit an encoder
`image_names`  names of all uint8 images of an observation space
`set_leaves`   an observation, or its space, with some leaves replaced

A leaf of nested dictionaries is named by its path: `"pixels"`, or `"camera/left"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Shaped

from rlpriors.encoders.preprocess import accepted_channels

__all__ = ["ImageLeaf", "LeafPath", "find_images", "image_names", "set_leaves"]

LeafPath = tuple[str, ...]


class ImageLeaf(NamedTuple):
    """One image of an observation, or a stack of frames from the environment."""

    path: LeafPath
    """Keys that lead to the leaf; () if the observation is the image."""
    space: gym.spaces.Box
    """Space of the leaf."""
    layout: str
    """Letters of the axes: height H, width W and, if present, channels C and time T."""

    @property
    def name(self) -> str:
        """Path of the leaf in `obs_keys`, such as "camera/left"; "" if the observation is the image."""
        return "/".join(self.path)

    @property
    def quoted_name(self) -> str:
        """Name for error messages: a space and the quoted name; "" if the observation is the image."""
        return _quoted(self.name)

    @property
    def pixels_name(self) -> str:
        """Key of the image next to its encoding if `keep_pixels` is set."""
        return f"{self.path[-1]}_pixels"

    @property
    def n_frames(self) -> int:
        """Number of frames in the leaf; 1 without a time axis."""
        return int(self.space.shape[self.layout.index("T")]) if "T" in self.layout else 1

    @property
    def channels(self) -> int:
        """Number of channels of each frame; 1 without a channel axis."""
        return int(self.space.shape[self.layout.index("C")]) if "C" in self.layout else 1

    def select(self, obs: Any) -> np.ndarray:
        """Return this leaf of an observation, or of a batch of observations."""
        for key in self.path:
            obs = obs[key]
        return np.asarray(obs)

    def frames(
        self, batch: Shaped[np.ndarray, "batch ..."]
    ) -> Shaped[np.ndarray, "batch time height width channels"]:
        """Return a batch of this leaf with ordered axes, without a copy.

        Raises:
            ValueError: shape or data type differ from the environment's space.
        """
        if batch.shape[1:] != self.space.shape or batch.dtype != self.space.dtype:
            raise ValueError(
                f"The observation{self.quoted_name} must match the environment's space, {self.space.dtype} "
                f"{self.space.shape}. Received {batch.dtype} {batch.shape[1:]}; correct the environment's "
                "`observation_space`."
            )
        axes = [1 + self.layout.index(axis) for axis in "THWC" if axis in self.layout]
        ordered = batch.transpose(0, *axes)
        if "T" not in self.layout:
            ordered = ordered[:, None]
        return ordered if "C" in self.layout else ordered[..., None]


def find_images(
    space: gym.Space[Any], obs_keys: Sequence[str] | None, layout: str | None, channels: int
) -> list[ImageLeaf]:
    """Return the image leaves for an encoder of `channels` channels.

    Without `obs_keys` these are all uint8 images (Box(0, 255, ...) of two to four axes).  `layout`
    names the axes of all images, for example "HWC".  Without it the axes are detected: an axis of 1, 3 or
    `channels` entries, last or first, holds channels.  Otherwise a shortest first axis is a stack of gray
    frames, as in FrameStackObservation.  The first of four axes is a stack of frames.

    Raises:
        ValueError: there is no image, a key is unknown, a leaf is no image, or its axes are ambiguous or
            do not fit the encoder.
        TypeError: `obs_keys` is a string, or pixels are neither uint8 nor floats.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> space = gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))})
        >>> [(leaf.name, leaf.layout) for leaf in find_images(space, None, None, channels=3)]
        [('camera', 'HWC')]
        >>> atari = gym.spaces.Box(0, 255, (4, 84, 84), np.uint8)
        >>> find_images(atari, None, None, channels=3)[0].layout
        'THW'
    """
    if isinstance(obs_keys, str):
        raise TypeError(
            f'`obs_keys` must be a sequence of names, such as ["{obs_keys}"]. Received {obs_keys!r}.'
        )
    if obs_keys is not None and not isinstance(space, gym.spaces.Dict):
        raise ValueError(
            f"`obs_keys` must be None unless the observation is a Dict. Received {obs_keys!r} for a "
            f"{type(space).__name__}; remove `obs_keys`."
        )
    leaves = {"/".join(path): (path, leaf) for path, leaf in _leaves(space)}
    names = image_names(space) if obs_keys is None else list(obs_keys)
    unknown = [name for name in names if name not in leaves]
    if unknown:
        raise ValueError(
            f"`obs_keys` must name leaves of the observation: {sorted(leaves)}. Received {names}."
        )
    if not names or len(set(names)) < len(names):
        raise ValueError(
            "The observation must hold an image, uint8 in 0..255 with two to four axes, each named once. "
            f"Received {space} with obs_keys={obs_keys!r}; PixelObservation adds images to any environment."
        )
    return [_image_leaf(*leaves[name], name, layout, channels) for name in names]


def image_names(space: gym.Space[Any]) -> list[str]:
    """Return the names of all uint8 images, Box(0, 255, ...) of two to four axes.

    The name of an observation that is an image itself is "".

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> image_names(gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))}))
        ['camera']
    """
    return ["/".join(path) for path, leaf in _leaves(space) if _is_image(leaf)]


def set_leaves(tree: Any, leaves: Mapping[LeafPath, Any]) -> Any:
    """Return a copy of a Dict observation or Dict space with these leaves replaced or added.

    Example:
        >>> obs = {"camera": {"left": 1, "right": 2}, "speed": 3}
        >>> set_leaves(obs, {("camera", "left"): 10, ("camera", "top"): 0})
        {'camera': {'left': 10, 'right': 2, 'top': 0}, 'speed': 3}
    """
    result = dict(tree.items())
    for key in dict.fromkeys(path[0] for path in leaves):
        inner = {path[1:]: leaf for path, leaf in leaves.items() if path[0] == key}
        result[key] = inner[()] if () in inner else set_leaves(tree[key], inner)
    return gym.spaces.Dict(result) if isinstance(tree, gym.spaces.Dict) else result


def _leaves(space: gym.Space[Any], path: LeafPath = ()) -> Iterator[tuple[LeafPath, gym.Space[Any]]]:
    if isinstance(space, gym.spaces.Dict):
        for key, inner in space.items():
            yield from _leaves(inner, (*path, key))
    else:
        yield path, space


def _is_image(space: gym.Space[Any]) -> bool:
    if not isinstance(space, gym.spaces.Box) or space.dtype != np.uint8 or not 2 <= len(space.shape) <= 4:
        return False
    return bool((space.low == 0).all() and (space.high == 255).all())


def _quoted(name: str) -> str:
    return name and f" {name!r}"


def _image_leaf(
    path: LeafPath, space: gym.Space[Any], name: str, layout: str | None, channels: int
) -> ImageLeaf:
    what = f"The observation{_quoted(name)}"
    if not isinstance(space, gym.spaces.Box) or not 2 <= len(space.shape) <= 4:
        raise ValueError(
            f"{what} must be an image, a Box of two to four axes. Received {space}; name only image leaves "
            "in `obs_keys`."
        )
    if space.dtype != np.uint8 and (space.dtype is None or space.dtype.kind != "f"):
        raise TypeError(
            f"{what} must be uint8 in 0..255, or floats in [0, 1]. Received {space.dtype}; convert it, for "
            "example by gymnasium.wrappers.DtypeObservation(env, np.uint8)."
        )
    if layout is None:
        layout = _detect_layout(space.shape, channels, what)
    if sorted(layout) not in [sorted(axes) for axes in ("HW", "CHW", "THW", "CTHW")]:
        raise ValueError(
            '`layout` must name each axis of an image once: "H" and "W" and, if present, "C" (channels) '
            f'and "T" (frames), such as "HWC". Received {layout!r}.'
        )
    if len(layout) != len(space.shape):
        raise ValueError(
            f"`layout` must name all {len(space.shape)} axes. Received {layout!r}, but {what.lower()} has "
            f"shape {space.shape}."
        )
    leaf = ImageLeaf(path, space, layout)
    accepted = accepted_channels(channels)
    if leaf.channels not in accepted:
        raise ValueError(
            f"{what} must have {' or '.join(map(str, accepted))} channels for this encoder. "
            f"Received {leaf.channels} in shape {space.shape}; set `layout` (read as {layout!r}; "
            '"HWT" is a stack of gray frames along the last axis).'
        )
    return leaf


def _detect_layout(shape: tuple[int, ...], channels: int, what: str) -> str:
    if len(shape) == 2:
        return "HW"
    *_, first, _, last = shape  # the axes of a frame, without that of a stack
    channels_last, channels_first = last in (1, 3, channels), first in (1, 3, channels)
    if channels_last != channels_first:
        return "THWC"[4 - len(shape) :] if channels_last else "TCHW"[4 - len(shape) :]
    if not channels_last and len(shape) == 3 and first <= min(shape[1:]):
        return "THW"
    raise ValueError(
        f"{what} of shape {shape} has ambiguous axes, or is no image. Name the axes by `layout`, such as "
        '"HWC", "CHW" or "THW" (a stack of gray frames).'
    )
