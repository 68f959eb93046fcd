"""Encoding of an environment's observations, shared by the encode wrappers.

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
from rlpriors.wrappers.arrays import Array, concatenate, copied, zeros
from rlpriors.wrappers.encode_options import EncodeOptions
from rlpriors.wrappers.encoder_source import EncoderSource, open_encoder
from rlpriors.wrappers.frame_encoder import FrameEncoder
from rlpriors.wrappers.frame_stack import FrameStack
from rlpriors.wrappers.images.image_leaf import ImageLeaf
from rlpriors.wrappers.images.image_spaces import find_images
from rlpriors.wrappers.images.observation_tree import LeafPath, select_leaf, set_leaves
from rlpriors.wrappers.images.previous_frames import PreviousFrames
from rlpriors.wrappers.option_checks import check_leaf, check_no_gradients, is_clip

__all__ = ["ObservationEncoder"]

EnvIndices = Int[Array, " batch"]
Images = Shaped[Array, "_batch _time _height _width _channels"]


class ObservationEncoder:
    """Encoder of the observations of `n_envs` environments, with one forward pass for all images of a step.

    The last `stack` encoded frames of each environment stay on the device.  Each frame is therefore
    encoded once, and the final observation of an episode is stacked on its own frames even if the next
    episode has already started.  `is_stack` states that the first axis of each image is a stack of frames.

    With `tensors`, observations, indices and masks are tensors on the encoder's device, and nothing is copied
    to the host.

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
        tensors: bool = False,
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
        self._tensors = tensors
        self._state_version = opened.state_version
        self.frame_encoder: FrameEncoder | None = FrameEncoder(opened, options.cache)
        shape = opened.output_shape
        self.frame_stacks = [
            FrameStack(n_envs, options.stack, shape if length == 1 else (length, *shape), opened.device)
            for length in self._lengths
        ]
        self.single_space = self._encoded_space(shape)
        self._previous_frames = PreviousFrames(n_envs)

    # -- in --------------------------------------------------------------------------------------

    def images_of_batch(self, obs: Any) -> list[Images]:
        """Return the images of a batch of observations, leaf by leaf, with ordered axes."""
        return [leaf.frames(self._select(leaf, obs)) for leaf in self.leaves]

    def images_of_list(self, observations: Sequence[Any]) -> list[Images]:
        """Return the images of single observations as a batch, leaf by leaf, with ordered axes."""
        return [leaf.frames(np.stack([leaf.select(obs) for obs in observations])) for leaf in self.leaves]

    def update(
        self,
        images: Sequence[Images],
        env_ids: EnvIndices,
        first: Bool[Array, " batch"],
        final_images: Sequence[Images] = (),
        final_env_ids: Int[Array, " finals"] | None = None,
    ) -> list[Any]:
        """Encode the current images of these environments and add them to the frame stacks.

        An episode starts where `first` is True.  `final_images` are the last images of episodes that
        ended in `final_env_ids`.  Returns the encoded final observations, leaf by leaf.
        """
        encoder = self._open_encoder()
        ended = env_ids[:0] if final_env_ids is None else final_env_ids
        batches = [
            concatenate([current, final_images[i]]) if len(ended) else current
            for i, current in enumerate(images)
        ]
        all_ids = concatenate([env_ids, ended])
        all_first = concatenate([first, zeros([len(ended)], like=first)])
        encoded = self._encode(encoder, batches, all_ids, all_first)
        ids, ended_ids, starts = (torch.as_tensor(x, device=encoder.device) for x in (env_ids, ended, first))
        self._previous_frames.update(images, env_ids)
        finals = []
        for frame_stack, vectors, length in zip(self.frame_stacks, encoded, self._lengths, strict=True):
            current_vectors, final_vectors = vectors.split([len(env_ids), len(ended)])
            if len(ended):  # before the first frames of the next episodes are added
                finals.append(self._fuse(frame_stack.peek(ended_ids, final_vectors), length))
            if isinstance(first, Tensor):
                frame_stack.add(ids, current_vectors, starts)
            elif not first.any():
                frame_stack.push(ids, current_vectors)
            elif first.all():
                frame_stack.fill(ids, current_vectors)
            else:
                frame_stack.add(ids, current_vectors, starts)
        return self._convert(finals)

    # -- out -------------------------------------------------------------------------------------

    def read(self, env_ids: EnvIndices) -> list[Any]:
        """Return the encoded observations of these environments, leaf by leaf, as copies."""
        ids = torch.as_tensor(env_ids, device=self._open_encoder().device)
        stacks = zip(self.frame_stacks, self._lengths, strict=True)
        return self._convert([self._fuse(frame_stack.read(ids), length) for frame_stack, length in stacks])

    def replace_images(self, obs: Any, encoded: Sequence[Any]) -> Any:
        """Return an observation, or a batch of them, with encodings in place of the images."""
        keep = self.options.keep_pixels
        pixels = [copied(self._select(leaf, obs)) if keep else None for leaf in self.leaves]
        return self._place(obs, encoded, pixels)

    def close(self) -> None:
        """Release the network, the frame stacks and the cache."""
        on_cuda = self.encoder is not None and self.encoder.device.type == "cuda"
        self.encoder, self.frame_encoder, self.frame_stacks = None, None, []
        self._previous_frames = PreviousFrames(self.n_envs)
        if on_cuda:
            torch.cuda.empty_cache()

    # -- inside ----------------------------------------------------------------------------------

    def _select(self, leaf: ImageLeaf, obs: Any) -> Any:
        if not self._tensors:
            return leaf.select(obs)
        pixels, device = select_leaf(obs, leaf.path), self._open_encoder().device
        if not isinstance(pixels, Tensor) or pixels.device != device:
            received = f"a tensor on {pixels.device}" if isinstance(pixels, Tensor) else f"a {type(pixels)}"
            raise ValueError(
                f"The observation{leaf.quoted_name} must be a tensor on {device}, the device of the encoder. "
                f"Received {received}; pass the environments' device as `device`."
            )
        return pixels.detach()

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
        self, encoder: ImageEncoder, batches: Sequence[Any], env_ids: Array, first: Array
    ) -> list[Tensor]:
        """Encode [batch, time, ...] images, leaf by leaf, to [batch, *out] or [batch, time, *out]."""
        assert self.frame_encoder is not None  # set together with the encoder
        needs_previous = encoder.readout.needs_previous
        previous = self._previous_frames.read(batches, env_ids, first) if needs_previous else None
        encoded = self.frame_encoder(
            self._flatten_time(batches), None if previous is None else self._flatten_time(previous)
        )
        return [
            vectors if length == 1 else vectors.unflatten(0, (-1, length))
            for vectors, length in zip(encoded, self._lengths, strict=True)
        ]

    def _flatten_time(self, batches: Sequence[Any]) -> list[Any]:
        # Clips keep their time axis; otherwise it becomes part of the batch axis.
        pairs = zip(batches, self._clips, strict=True)
        return [images if clip else images.reshape(-1, *images.shape[2:]) for images, clip in pairs]

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
