"""What the three encoding wrappers share: an encoder fitted to an environment's observations.

`ObservationEncoder`  observations in, their encodings out; what was seen before is remembered
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.error import ClosedEnvironmentError
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.readouts.frame_fusion import fuse, fuse_shape
from rlpriors.wrappers.encode_options import EncoderSource, EncodeSettings, open_encoder
from rlpriors.wrappers.frame_encoder import FrameEncoder
from rlpriors.wrappers.frame_stack import FrameStack
from rlpriors.wrappers.image_spaces import LeafPath, find_images, set_leaves

__all__ = ["ObservationEncoder"]

Rows = Int[np.ndarray, " rows"]
Images = Shaped[np.ndarray, "_batch _time _height _width _channels"]


class ObservationEncoder:
    """Encodes the observations of `rows` environments, all images of a step in one forward pass.

    Each environment's last `stack` encoded frames are kept on the device, so that a frame is encoded
    once, and so that an episode's last observation shows what led to it even when the next episode
    has begun.

    Raises:
        ValueError: the encoder, an option or the fingerprint does not suit, or the observations hold
            no such images; the message says which.
        TypeError: `encoder` is neither a name nor an `ImageEncoder`, or pixels are no pixels.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
        >>> space = gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))})
        >>> settings = EncodeSettings(weights="none", stack=2, device="cpu")
        >>> encoder = ObservationEncoder("nature-cnn", space, rows=1, settings=settings)
        >>> encoder.single_space["camera"].shape
        (1024,)
        >>> obs = {"camera": np.zeros((1, 40, 40, 3), np.uint8), "speed": np.ones((1, 2))}
        >>> row = np.arange(1)
        >>> _ = encoder.observe(encoder.images(obs), row, np.array([True]))
        >>> encoded = encoder.replace(obs, encoder.read(row))
        >>> encoded["camera"].shape, encoded["speed"]
        ((1, 1024), array([[1., 1.]]))
    """

    def __init__(
        self, encoder: EncoderSource, space: gym.Space[Any], rows: int, settings: EncodeSettings
    ) -> None:
        opened = open_encoder(encoder, settings)
        learning = [name for name, weight in opened.named_parameters() if weight.requires_grad]
        if learning:
            raise ValueError(
                f"`encoder` must not learn, but {len(learning)} of its weights require gradients. Received "
                f"{learning[0]!r} and others; call its `freeze()`, or put an encoder that learns inside the "
                "policy (EncoderNetwork)."
            )
        self.settings, self.space, self.rows = settings, space, rows
        self.leaves = find_images(space, settings.keys, settings.layout, opened.spec.channels)
        # An encoder of clips takes a stack of frames as one image.
        self._clips = [leaf.time > 1 and leaf.time == opened.spec.frames for leaf in self.leaves]
        self._times = [1 if clip else leaf.time for leaf, clip in zip(self.leaves, self._clips, strict=True)]
        self._check(opened)
        self.encoder: ImageEncoder | None = opened
        self._changes = opened.changes
        self.frames: FrameEncoder | None = FrameEncoder(opened, settings.cache)
        shape = opened.output_shape
        self.rings = [
            FrameStack(rows, settings.stack, shape if time == 1 else (time, *shape), opened.device)
            for time in self._times
        ]
        self.single_space = self._encoded_space(shape)
        # The frames before, for readouts that look at motion.
        self._before: list[np.ndarray] | None = None

    # -- in --------------------------------------------------------------------------------------

    def images(self, obs: Any) -> list[Images]:
        """The images of a batch of observations, leaf by leaf, with their axes in order."""
        return [leaf.frames(leaf.pick(obs)) for leaf in self.leaves]

    def images_of(self, observations: Sequence[Any]) -> list[Images]:
        """The images of single observations, as a batch."""
        return [leaf.frames(np.stack([leaf.pick(obs) for obs in observations])) for leaf in self.leaves]

    def observe(
        self,
        images: Sequence[Images],
        rows: Rows,
        first: Bool[np.ndarray, " rows"],
        final_images: Sequence[Images] = (),
        final_rows: Int[np.ndarray, " finals"] | None = None,
    ) -> list[Any]:
        """Take the present images of these rows in; where `first`, an episode begins with them.

        `final_images` are the last ones of episodes that have ended in `final_rows`.  What is returned
        are the encoded observations of these, leaf by leaf.
        """
        encoder = self._opened()
        ended = np.zeros(0, np.int64) if final_rows is None else final_rows
        batches = [
            np.concatenate([now, final_images[i]]) if len(ended) else now for i, now in enumerate(images)
        ]
        both, starts = np.concatenate([rows, ended]), np.concatenate([first, np.zeros(len(ended), np.bool_)])
        encoded = self._encode(encoder, batches, both, starts)
        at, ended_at, begins = (torch.as_tensor(x, device=encoder.device) for x in (rows, ended, first))
        for before, now in zip(self._before or [], images, strict=False):
            before[rows] = now[:, -1:]
        finals = []
        for ring, vectors, time in zip(self.rings, encoded, self._times, strict=True):
            present, last = vectors.split([len(rows), len(ended)])
            if len(ended):
                finals.append(self._fused(ring.peek(ended_at, last), time))  # before the new frames come
            if not first.any():
                ring.push(at, present)
            elif first.all():
                ring.fill(at, present)
            else:
                ring.fill(at[begins], present[begins])
                ring.push(at[~begins], present[~begins])
        return self._given(finals)

    # -- out -------------------------------------------------------------------------------------

    def read(self, rows: Rows) -> list[Any]:
        """The encoded observations of these rows, leaf by leaf, as arrays or tensors of their own."""
        at = torch.as_tensor(rows, device=self._opened().device)
        stacks = zip(self.rings, self._times, strict=True)
        return self._given([self._fused(ring.read(at), time) for ring, time in stacks])

    def replace(self, obs: Any, encoded: Sequence[Any]) -> Any:
        """An observation, or a batch of them, with encodings in the places of the images."""
        pixels = [np.array(leaf.pick(obs)) if self.settings.keep_pixels else None for leaf in self.leaves]
        return self._placed(obs, encoded, pixels)

    def close(self) -> None:
        """Let go of the network, the remembered frames and the cache."""
        on_cuda = self.encoder is not None and self.encoder.device.type == "cuda"
        self.encoder, self.frames, self.rings, self._before = None, None, [], None
        if on_cuda:
            torch.cuda.empty_cache()

    # -- inside ----------------------------------------------------------------------------------

    def _check(self, encoder: ImageEncoder) -> None:
        settings = self.settings
        for leaf, time, clip in zip(self.leaves, self._times, self._clips, strict=True):
            what = f"the observation{leaf.name and f' {leaf.name!r}'}"
            if settings.stack > 1 and time > 1:
                raise ValueError(
                    f"`stack` must be 1 where {what} is a stack already. Received {settings.stack} with "
                    f"shape {leaf.space.shape}; leave one of the two out (the wrapper's own encodes each "
                    "frame once)."
                )
            beside = f"{leaf.path[-1]}_pixels" if leaf.path else ""
            if settings.keep_pixels and beside in self._siblings(leaf.path):
                raise ValueError(
                    f"`keep_pixels` needs the name {beside!r} beside {leaf.name!r}, which is taken. Received "
                    f"{self.space}; rename that leaf, or leave `keep_pixels` out."
                )
            if settings.cache is not None and leaf.space.dtype != np.uint8:
                raise ValueError(
                    f"`cache` finds images by their bytes, but {what} is {leaf.space.dtype}. Received "
                    f"{settings.cache!r}; use uint8 images, or no cache."
                )
            single = settings.cache is None and encoder.readout.views_per_frame == 1
            if clip and not (single and not encoder.readout.needs_previous):
                raise ValueError(
                    f"{encoder.spec.name!r} sees {what} as clips of {leaf.time} frames, for which there is "
                    f"neither `cache` nor a `readout` that cuts frames up. Received {settings.cache!r} and "
                    f"{encoder.readout.name!r}."
                )

    def _siblings(self, path: LeafPath) -> list[str]:
        space: Any = self.space
        for key in path[:-1]:
            space = space[key]
        return list(space) if path else []

    def _opened(self) -> ImageEncoder:
        if self.encoder is None:
            raise ClosedEnvironmentError("This environment is closed and its encoder gone. Make another.")
        if not self.encoder.frozen:
            raise ValueError(
                "`encoder` must be frozen while it encodes observations. It was unfrozen: call its "
                "`freeze()`, or let the policy encode (there an encoder can learn)."
            )
        if self.encoder.changes != self._changes:
            raise ValueError(
                "`encoder` has another readout or other weights than when this environment was wrapped, so "
                "that its spaces, stacks and cache no longer hold. Wrap the environment anew."
            )
        if self.encoder.backbone.training or self.encoder.readout.training:
            self.encoder.eval()  # somebody has called train() on its parts
        return self.encoder

    def _encode(
        self, encoder: ImageEncoder, batches: Sequence[np.ndarray], rows: np.ndarray, first: np.ndarray
    ) -> list[Tensor]:
        """Encodings of [batch, time, ...] images, leaf by leaf: [batch, *out] or [batch, time, *out]."""
        assert self.frames is not None  # as the encoder is there
        previous = self._predecessors(batches, rows, first) if encoder.readout.needs_previous else None
        encoded = self.frames(self._flat(batches), None if previous is None else self._flat(previous))
        return [
            vectors if time == 1 else vectors.unflatten(0, (-1, time))
            for vectors, time in zip(encoded, self._times, strict=True)
        ]

    def _flat(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        # Clips keep their time; else it joins the batch.
        pairs = zip(batches, self._clips, strict=True)
        return [images if clip else images.reshape(-1, *images.shape[2:]) for images, clip in pairs]

    def _predecessors(
        self, batches: Sequence[np.ndarray], rows: np.ndarray, first: np.ndarray
    ) -> list[np.ndarray]:
        """For each image the one before it; an episode's first is its own."""
        if self._before is None:
            self._before = [np.zeros((self.rows, 1, *images.shape[2:]), images.dtype) for images in batches]
        previous = []
        for images, before in zip(batches, self._before, strict=True):
            # Of a stack that the environment gives only the frames inside have one before them.
            alone = images.shape[1] == 1
            known = (
                np.where(first[:, None, None, None, None], images, before[rows]) if alone else images[:, :1]
            )
            previous.append(np.concatenate([known, images[:, :-1]], 1))
        return previous

    def _fused(self, stack: Float[Tensor, "batch stack *inner"], time: int) -> Tensor:
        frames = stack if time == 1 else stack[:, 0]  # the wrapper's own frames, or the environment's
        return frames[:, 0] if frames.shape[1] == 1 else fuse(frames, self.settings.fuse)

    def _given(self, tensors: Sequence[Tensor]) -> list[Any]:
        kind = getattr(torch, self.settings.dtype)
        if kind == torch.float16:
            most = torch.finfo(kind).max
            tensors = [tensor.clamp(-most, most).to(kind) for tensor in tensors]
        return [tensor if self.settings.output == "torch" else tensor.cpu().numpy() for tensor in tensors]

    def _encoded_space(self, shape: tuple[int, ...]) -> gym.Space[Any]:
        boxes = []
        for time in self._times:
            frames = max(time, self.settings.stack)
            fused = shape if frames == 1 else fuse_shape(shape, frames, self.settings.fuse)
            boxes.append(gym.spaces.Box(-np.inf, np.inf, fused, np.dtype(self.settings.dtype).type))
        pixels = [leaf.space if self.settings.keep_pixels else None for leaf in self.leaves]
        space: gym.Space[Any] = self._placed(self.space, boxes, pixels)
        return space

    def _placed(self, tree: Any, encoded: Sequence[Any], pixels: Sequence[Any]) -> Any:
        """A Dict observation or space with encodings in place, and pixels (where not None) beside."""
        if not self.leaves[0].path:
            if pixels[0] is None:
                return encoded[0]
            empty = gym.spaces.Dict() if isinstance(tree, gym.Space) else {}
            return set_leaves(empty, {("encoded",): encoded[0], ("pixels",): pixels[0]})
        leaves: dict[LeafPath, Any] = {}
        for leaf, vectors, image in zip(self.leaves, encoded, pixels, strict=True):
            leaves[leaf.path] = vectors
            if image is not None:
                leaves[*leaf.path[:-1], f"{leaf.path[-1]}_pixels"] = image
        return set_leaves(tree, leaves)
