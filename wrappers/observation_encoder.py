"""Encoding of an environment's observations, shared by the three encode wrappers.

`ObservationEncoder`  an encoder fitted to an observation space, with the frame stacks of each environment
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
from rlpriors.encoders.readouts.frame_fusion import fuse_frames, fused_shape
from rlpriors.wrappers.encode_options import EncodeOptions
from rlpriors.wrappers.encoder_source import EncoderSource, open_encoder
from rlpriors.wrappers.frame_encoder import FrameEncoder
from rlpriors.wrappers.frame_stack import FrameStack
from rlpriors.wrappers.images.image_spaces import find_images
from rlpriors.wrappers.images.observation_tree import LeafPath, set_leaves
from rlpriors.wrappers.option_checks import check_leaf, check_no_gradients, is_clip

__all__ = ["ObservationEncoder"]

EnvIndices = Int[np.ndarray, " batch"]
Images = Shaped[np.ndarray, "_batch _time _height _width _channels"]


class ObservationEncoder:
    """Encoder of the observations of `n_envs` environments, with one forward pass for all images of a step.

    The last `stack` encoded frames of each environment stay on the device.  Each frame is therefore
    encoded once, and the final observation of an episode is stacked on its own frames even if the next
    episode has already started.  `is_stack` states that the first axis of each image is a stack of frames.

    Raises:
        ValueError: the encoder, an option or the fingerprint does not fit, or the observations hold no
            such images; the message names the cause.
        TypeError: `encoder` is neither a name nor an `ImageEncoder`.

    Example:
        >>> camera = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)
        >>> space = gym.spaces.Dict({"camera": camera, "speed": gym.spaces.Box(-1, 1, (2,))})
        >>> options = EncodeOptions(weights="none", stack=2, device="cpu")
        >>> encoder = ObservationEncoder("nature-cnn", space, n_envs=1, options=options)
        >>> encoder.single_space["camera"].shape
        (1024,)
        >>> obs = {"camera": np.zeros((1, 40, 40, 3), np.uint8), "speed": np.ones((1, 2))}
        >>> env_ids = np.arange(1)
        >>> _ = encoder.update(encoder.images_of_batch(obs), env_ids, np.array([True]))
        >>> encoded = encoder.replace_images(obs, encoder.read(env_ids))
        >>> encoded["camera"].shape, encoded["speed"]
        ((1, 1024), array([[1., 1.]]))
    """

    def __init__(
        self,
        encoder: EncoderSource,
        space: gym.Space[Any],
        n_envs: int,
        options: EncodeOptions,
        *,
        is_stack: bool = False,
    ) -> None:
        opened = open_encoder(encoder, options)
        check_no_gradients(opened)
        self.options, self.space, self.n_envs = options, space, n_envs
        self.leaves = find_images(
            space, options.obs_keys, options.layout, opened.spec.channels, is_stack=is_stack
        )
        self._clips = [is_clip(leaf, opened) for leaf in self.leaves]
        # An encoder of clips encodes a stack of frames as one image.
        self._lengths = [
            1 if clip else leaf.n_frames for leaf, clip in zip(self.leaves, self._clips, strict=True)
        ]
        for leaf in self.leaves:
            check_leaf(leaf, space, opened, options)
        self.encoder: ImageEncoder | None = opened
        self._state_version = opened.state_version
        self.frame_encoder: FrameEncoder | None = FrameEncoder(opened, options.cache)
        shape = opened.output_shape
        self.frame_stacks = [
            FrameStack(n_envs, options.stack, shape if length == 1 else (length, *shape), opened.device)
            for length in self._lengths
        ]
        self.single_space = self._encoded_space(shape)
        # Each environment's latest frames, for readouts of motion.
        self._latest_frames: list[np.ndarray] | None = None

    # -- in --------------------------------------------------------------------------------------

    def images_of_batch(self, obs: Any) -> list[Images]:
        """Return the images of a batch of observations, leaf by leaf, with ordered axes."""
        return [leaf.frames(leaf.select(obs)) for leaf in self.leaves]

    def images_of_list(self, observations: Sequence[Any]) -> list[Images]:
        """Return the images of single observations as a batch, leaf by leaf, with ordered axes."""
        return [leaf.frames(np.stack([leaf.select(obs) for obs in observations])) for leaf in self.leaves]

    def update(
        self,
        images: Sequence[Images],
        env_ids: EnvIndices,
        first: Bool[np.ndarray, " batch"],
        final_images: Sequence[Images] = (),
        final_env_ids: Int[np.ndarray, " finals"] | None = None,
    ) -> list[Any]:
        """Encode the current images of these environments and add them to the frame stacks.

        An episode starts where `first` is True.  `final_images` are the last images of episodes that
        ended in `final_env_ids`.  Returns the encoded final observations, leaf by leaf.
        """
        encoder = self._open_encoder()
        ended = np.zeros(0, np.int64) if final_env_ids is None else final_env_ids
        batches = [
            np.concatenate([current, final_images[i]]) if len(ended) else current
            for i, current in enumerate(images)
        ]
        all_ids = np.concatenate([env_ids, ended])
        all_first = np.concatenate([first, np.zeros(len(ended), np.bool_)])
        encoded = self._encode(encoder, batches, all_ids, all_first)
        ids, ended_ids, starts = (torch.as_tensor(x, device=encoder.device) for x in (env_ids, ended, first))
        for latest, current in zip(self._latest_frames or [], images, strict=False):
            latest[env_ids] = current[:, -1:]
        finals = []
        for frame_stack, vectors, length in zip(self.frame_stacks, encoded, self._lengths, strict=True):
            current_vectors, final_vectors = vectors.split([len(env_ids), len(ended)])
            if len(ended):  # before the first frames of the next episodes are added
                finals.append(self._fuse(frame_stack.peek(ended_ids, final_vectors), length))
            if not first.any():
                frame_stack.push(ids, current_vectors)
            elif first.all():
                frame_stack.fill(ids, current_vectors)
            else:
                frame_stack.fill(ids[starts], current_vectors[starts])
                frame_stack.push(ids[~starts], current_vectors[~starts])
        return self._convert(finals)

    # -- out -------------------------------------------------------------------------------------

    def read(self, env_ids: EnvIndices) -> list[Any]:
        """Return the encoded observations of these environments, leaf by leaf, as copies."""
        ids = torch.as_tensor(env_ids, device=self._open_encoder().device)
        stacks = zip(self.frame_stacks, self._lengths, strict=True)
        return self._convert([self._fuse(frame_stack.read(ids), length) for frame_stack, length in stacks])

    def replace_images(self, obs: Any, encoded: Sequence[Any]) -> Any:
        """Return an observation, or a batch of them, with encodings in place of the images."""
        pixels = [np.array(leaf.select(obs)) if self.options.keep_pixels else None for leaf in self.leaves]
        return self._place(obs, encoded, pixels)

    def close(self) -> None:
        """Release the network, the frame stacks and the cache."""
        on_cuda = self.encoder is not None and self.encoder.device.type == "cuda"
        self.encoder, self.frame_encoder, self.frame_stacks, self._latest_frames = None, None, [], None
        if on_cuda:
            torch.cuda.empty_cache()

    # -- inside ----------------------------------------------------------------------------------

    def _open_encoder(self) -> ImageEncoder:
        if self.encoder is None:
            raise ClosedEnvironmentError("This wrapper is closed. Create a new one.")
        if not self.encoder.frozen:
            raise ValueError(
                "`encoder` must be frozen while it encodes observations. Received an unfrozen encoder: call "
                "its `freeze()`, or train it inside the policy (EncoderNetwork)."
            )
        if self.encoder.state_version != self._state_version:
            raise ValueError(
                "`encoder` must keep its readout and weights after wrapping, since spaces, frame stacks and "
                "cache depend on them. Received a changed encoder. Wrap the environment again."
            )
        if self.encoder.backbone.training or self.encoder.readout.training:
            self.encoder.eval()  # train() was called on a module inside
        return self.encoder

    def _encode(
        self, encoder: ImageEncoder, batches: Sequence[np.ndarray], env_ids: np.ndarray, first: np.ndarray
    ) -> list[Tensor]:
        """Encode [batch, time, ...] images, leaf by leaf, to [batch, *out] or [batch, time, *out]."""
        assert self.frame_encoder is not None  # set together with the encoder
        previous = self._previous_frames(batches, env_ids, first) if encoder.readout.needs_previous else None
        encoded = self.frame_encoder(
            self._flatten_time(batches), None if previous is None else self._flatten_time(previous)
        )
        return [
            vectors if length == 1 else vectors.unflatten(0, (-1, length))
            for vectors, length in zip(encoded, self._lengths, strict=True)
        ]

    def _flatten_time(self, batches: Sequence[np.ndarray]) -> list[np.ndarray]:
        # Clips keep their time axis; otherwise it becomes part of the batch axis.
        pairs = zip(batches, self._clips, strict=True)
        return [images if clip else images.reshape(-1, *images.shape[2:]) for images, clip in pairs]

    def _previous_frames(
        self, batches: Sequence[np.ndarray], env_ids: np.ndarray, first: np.ndarray
    ) -> list[np.ndarray]:
        """Return the previous frame of each frame; the first frame of an episode is its own."""
        if self._latest_frames is None:
            self._latest_frames = [
                np.zeros((self.n_envs, 1, *images.shape[2:]), images.dtype) for images in batches
            ]
        previous = []
        for images, latest in zip(batches, self._latest_frames, strict=True):
            if images.shape[1] == 1:
                before = np.where(first[:, None, None, None, None], images, latest[env_ids])
            else:  # in a stack from the environment the oldest frame has no previous one
                before = images[:, :1]
            previous.append(np.concatenate([before, images[:, :-1]], 1))
        return previous

    def _fuse(self, stack: Float[Tensor, "batch stack *inner"], length: int) -> Tensor:
        frames = stack if length == 1 else stack[:, 0]  # the wrapper's stack, or that of the environment
        return frames[:, 0] if frames.shape[1] == 1 else fuse_frames(frames, self.options.fuse)

    def _convert(self, tensors: Sequence[Tensor]) -> list[Any]:
        dtype = getattr(torch, self.options.dtype)
        if dtype == torch.float16:
            largest = torch.finfo(dtype).max
            tensors = [tensor.clamp(-largest, largest).to(dtype) for tensor in tensors]
        return [tensor if self.options.output == "torch" else tensor.cpu().numpy() for tensor in tensors]

    def _encoded_space(self, shape: tuple[int, ...]) -> gym.Space[Any]:
        boxes = []
        for length in self._lengths:
            n_frames = max(length, self.options.stack)
            fused = shape if n_frames == 1 else fused_shape(shape, n_frames, self.options.fuse)
            boxes.append(gym.spaces.Box(-np.inf, np.inf, fused, np.dtype(self.options.dtype).type))
        pixels = [leaf.space if self.options.keep_pixels else None for leaf in self.leaves]
        space: gym.Space[Any] = self._place(self.space, boxes, pixels)
        return space

    def _place(self, tree: Any, encoded: Sequence[Any], pixels: Sequence[Any]) -> Any:
        """Return an observation or space with encodings in place of images, and pixels that are not None."""
        if not self.leaves[0].path:
            if pixels[0] is None:
                return encoded[0]
            empty = gym.spaces.Dict() if isinstance(tree, gym.Space) else {}
            return set_leaves(empty, {("encoded",): encoded[0], ("pixels",): pixels[0]})
        leaves: dict[LeafPath, Any] = {}
        for leaf, vectors, image in zip(self.leaves, encoded, pixels, strict=True):
            leaves[leaf.path] = vectors
            if image is not None:
                leaves[*leaf.path[:-1], leaf.pixels_name] = image
        return set_leaves(tree, leaves)
