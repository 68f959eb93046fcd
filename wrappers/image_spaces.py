"""Which parts of an observation are images, and how their axes run.

`ImageLeaf`      one image of an observation: where it is, and its axes
`LeafPath`       the keys that lead to a leaf
`find_images`    the image leaves of an observation space
`image_names`    their names alone, whatever their axes mean
`set_leaves`     an observation, or its space, with some leaves replaced

A leaf of nested dictionaries is named by its path: `"pixels"`, or `"camera/left"`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Shaped

from rlpriors.encoders.preprocess import seen_channels

__all__ = ["ImageLeaf", "LeafPath", "find_images", "image_names", "set_leaves"]

LeafPath = tuple[str, ...]


class ImageLeaf(NamedTuple):
    """One image of an observation, or a stack of frames that the environment gives as one."""

    path: LeafPath
    """The keys that lead to it; () where the observation is the image."""
    space: gym.spaces.Box
    layout: str
    """Its axes by their letters: height H, width W, and where it has them channels C and time T."""

    @property
    def name(self) -> str:
        """Its path as users write it."""
        return "/".join(self.path)

    @property
    def time(self) -> int:
        """How many frames it holds."""
        return int(self.space.shape[self.layout.index("T")]) if "T" in self.layout else 1

    @property
    def channels(self) -> int:
        """How many channels each frame has; 1 where there is no such axis."""
        return int(self.space.shape[self.layout.index("C")]) if "C" in self.layout else 1

    def pick(self, obs: Any) -> np.ndarray:
        """This leaf of an observation, or of a batch of them."""
        for key in self.path:
            obs = obs[key]
        return np.asarray(obs)

    def frames(
        self, batch: Shaped[np.ndarray, "batch ..."]
    ) -> Shaped[np.ndarray, "batch time height width channels"]:
        """A batch of this leaf with its axes in order; nothing is copied.

        Raises:
            ValueError: the environment gives another shape than its space says.
        """
        if batch.shape[1:] != self.space.shape or batch.dtype != self.space.dtype:
            raise ValueError(
                f"The observation{self.name and f' {self.name!r}'} must be what the environment's space "
                f"says, {self.space.dtype} {self.space.shape}. Received {batch.dtype} {batch.shape[1:]}; "
                "correct the environment's `observation_space`."
            )
        axes = [1 + self.layout.index(axis) for axis in "THWC" if axis in self.layout]
        ordered = batch.transpose(0, *axes)
        if "T" not in self.layout:
            ordered = ordered[:, None]
        return ordered if "C" in self.layout else ordered[..., None]


def find_images(
    space: gym.Space[Any], keys: Sequence[str] | None, layout: str | None, channels: int
) -> list[ImageLeaf]:
    """The leaves that an encoder of `channels` channels reads.

    Without `keys` these are all uint8 images (Box(0, 255, ...) of two to four axes).  `layout`
    names the axes of all of them, for example "HWC"; without it they are guessed: channels (1, 3,
    or as many as the encoder has) last or first, else the shortest axis first is a stack of gray
    frames, as FrameStackObservation gives them; a fourth axis, the first, is a stack of frames.

    Raises:
        ValueError: no images, an unknown key, a leaf that is no image, axes that can be read in two
            ways or do not fit the encoder.
        TypeError: `keys` is a string, or pixels are neither uint8 nor floats.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> space = gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))})
        >>> [(leaf.name, leaf.layout) for leaf in find_images(space, None, None, channels=3)]
        [('camera', 'HWC')]
        >>> atari = gym.spaces.Box(0, 255, (4, 84, 84), np.uint8)
        >>> find_images(atari, None, None, channels=3)[0].layout
        'THW'
    """
    if isinstance(keys, str):
        raise TypeError(f'`keys` must be a sequence of names, such as ["{keys}"]. Received {keys!r}.')
    if keys is not None and not isinstance(space, gym.spaces.Dict):
        raise ValueError(
            f"`keys` selects from Dict observations, but this one is a {type(space).__name__}. Received "
            f"{keys!r}; leave `keys` out."
        )
    leaves = {"/".join(path): (path, leaf) for path, leaf in _leaves(space)}
    chosen = image_names(space) if keys is None else list(keys)
    unknown = [key for key in chosen if key not in leaves]
    if unknown:
        raise ValueError(
            f"`keys` must name leaves of the observation: {sorted(leaves)}. Received {list(chosen)}."
        )
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(
            "The observation must hold an image, uint8 in 0..255 with two to four axes, each named once. "
            f"Received {space} with keys={keys!r}; PixelObservation renders any environment into one."
        )
    return [_leaf(*leaves[name], name, layout, channels) for name in chosen]


def image_names(space: gym.Space[Any]) -> list[str]:
    """Names of all uint8 images, Box(0, 255, ...) of two to four axes; "" where the observation is one.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> image_names(gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))}))
        ['camera']
    """
    return ["/".join(path) for path, leaf in _leaves(space) if _is_image(leaf)]


def set_leaves(tree: Any, leaves: Mapping[LeafPath, Any]) -> Any:
    """A Dict observation, or Dict space, with these leaves in place or added; the given one is left alone.

    Example:
        >>> obs = {"camera": {"left": 1, "right": 2}, "speed": 3}
        >>> set_leaves(obs, {("camera", "left"): 10, ("camera", "top"): 0})
        {'camera': {'left': 10, 'right': 2, 'top': 0}, 'speed': 3}
    """
    changed = dict(tree.items())
    for key in dict.fromkeys(path[0] for path in leaves):
        inner = {path[1:]: leaf for path, leaf in leaves.items() if path[0] == key}
        changed[key] = inner[()] if () in inner else set_leaves(tree[key], inner)
    return gym.spaces.Dict(changed) if isinstance(tree, gym.spaces.Dict) else changed


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


def _leaf(path: LeafPath, space: gym.Space[Any], name: str, layout: str | None, channels: int) -> ImageLeaf:
    what = f"The observation{name and f' {name!r}'}"
    if not isinstance(space, gym.spaces.Box) or not 2 <= len(space.shape) <= 4:
        raise ValueError(
            f"{what} must be an image to be encoded, a Box of two to four axes. Received {space}; name "
            "image leaves only in `keys`."
        )
    if space.dtype != np.uint8 and (space.dtype is None or space.dtype.kind != "f"):
        raise TypeError(
            f"{what} must be uint8 in 0..255, or floats in [0, 1]. Received {space.dtype}; convert it, for "
            "example by gymnasium.wrappers.DtypeObservation(env, np.uint8)."
        )
    if layout is None:
        layout = _guess(space.shape, channels, what)
    if sorted(layout) not in [sorted(known) for known in ("HW", "CHW", "THW", "CTHW")]:
        raise ValueError(
            '`layout` must name each axis of an image once: "H" and "W", and where it has them "C" '
            f'(channels) and "T" (frames), such as "HWC". Received {layout!r}.'
        )
    if len(layout) != len(space.shape):
        raise ValueError(
            f"`layout` must name all {len(space.shape)} axes. Received {layout!r}, but {what.lower()} has "
            f"shape {space.shape}."
        )
    leaf = ImageLeaf(path, space, layout)
    if leaf.channels not in seen_channels(channels):
        raise ValueError(
            f"{what} must have {' or '.join(map(str, seen_channels(channels)))} channels for this encoder. "
            f"Received {leaf.channels} in shape {space.shape}; give `layout` (read as {layout!r}; "
            '"HWT" is a stack of gray frames along the last axis).'
        )
    return leaf


def _guess(shape: tuple[int, ...], channels: int, what: str) -> str:
    if len(shape) == 2:
        return "HW"
    *_, before, _, last = shape
    is_last, is_first = last in (1, 3, channels), before in (1, 3, channels)
    if is_last != is_first:
        return "THWC"[4 - len(shape) :] if is_last else "TCHW"[4 - len(shape) :]
    if not is_last and len(shape) == 3 and before <= min(shape[1:]):
        return "THW"
    raise ValueError(
        f"{what} of shape {shape} can be read in more than one way, or is no image. Name its axes by "
        '`layout`, such as "HWC", "CHW" or "THW" (a stack of gray frames).'
    )
