"""Image encoders: from frames to vectors.

`ImageEncoder`  module from frames to vectors: preprocessing, backbone and readout
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors import checkpoint
from rlpriors.device import limit_forked_threads
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.chunking import explain_out_of_memory, split_into_chunks
from rlpriors.encoders.encoder.identity import ImageEncoderSettings, encoder_fingerprint
from rlpriors.encoders.encoder.network import Amp, EncoderNetwork
from rlpriors.encoders.encoder.readout_fit import example_features, fit_readout
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.encoders.openvino_backend import Backend
from rlpriors.encoders.preprocess import Channels
from rlpriors.encoders.readouts.base import ImageViews, Readout
from rlpriors.encoders.readouts.transform_base import is_fitted
from rlpriors.encoders.saved import check_saved, encoder_card
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.sharing.card import Card, write_card
from rlpriors.sharing.interface import count_weights
from rlpriors.sharing.provenance import Provenance
from rlpriors.types import Features

__all__ = ["ImageEncoder"]


class ImageEncoder(EncoderNetwork):
    """Image encoder from frames to one vector (or array) each: preprocessing, backbone and readout.

    `load_encoder` creates one from a name or a folder.  An encoder is frozen at first: no gradient
    reaches its weights, and it stays in evaluation mode when `train()` is called on it or on a parent
    module, so that batch statistics do not change either.  `unfreeze` makes it trainable.

    `readout` is a specification such as "cls", "grid(2)" or "crops(1,2,4)", or a `Readout`; `seed`
    initializes the weights of trainable readouts.  `amp` selects half precision and `compile` uses
    torch.compile.  `channels_last` selects the memory layout that is fastest for convolutions.
    `chunk_size` bounds the number of images per forward pass.  `backend` "openvino" runs the frozen
    network by OpenVINO, on a CPU and without gradients; `load_encoder` converts the network, and the next
    forward pass converts it again after its weights change.  `load_encoder` also accepts "auto".
    `EncoderNetwork` documents `freeze`, `unfreeze`, `set_backend` and the computation of features.

    Raises:
        ValueError: an option is unknown, or the network does not support this input size or readout.
        ImportError: the backend is not installed.

    Example:
        >>> import numpy as np
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", readout="grid(2)", device="cpu")
        >>> encoder.encode(np.zeros((5, 84, 84, 3), np.uint8)).shape
        torch.Size([5, 256])
        >>> encoder.output_space.shape
        (256,)
    """

    def __init__(
        self,
        spec: EncoderSpec,
        backbone: Backbone,
        readout: str | Readout = "cls",
        *,
        device: str | torch.device = "auto",
        amp: Amp | None = None,
        compile: bool = False,
        backend: Backend = "torch",
        channels_last: bool = False,
        chunk_size: int | None = None,
        channels: Channels = "auto",
        seed: int = 0,
    ) -> None:
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, or None. Received {chunk_size}.")
        super().__init__(
            spec,
            backbone,
            device=device,
            amp=amp,
            compile=compile,
            backend=backend,
            channels_last=channels_last,
            channels=channels,
        )
        self.chunk_size = chunk_size
        self._example = example_features(spec, self.preprocess, backbone)
        self.readout = self._fit(readout, seed)
        self.freeze()
        self._record_tensors()

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one frame's encoding."""
        return self._output_shape

    @property
    def output_space(self) -> gym.spaces.Box:
        """Space of one frame's encoding."""
        return gym.spaces.Box(-np.inf, np.inf, self.output_shape, np.float32)

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of this encoder's output; each call reads all weights."""
        return encoder_fingerprint(
            self.spec, self.backbone, self.readout, precision=self.precision, backend=self.backend
        )

    def card(self) -> Card:
        """Return the contents of the model card that `save` writes."""
        return encoder_card(self.spec, self.readout.name, self.output_shape, count_weights(self))

    def save(self, folder: str | Path, *, half: bool = False, provenance: Provenance | None = None) -> Path:
        """Save the encoder in `folder`, with a model card; `load_encoder(folder)` loads it.

        `half` writes 16-bit weights, which are converted to 32 bits when loaded.  Files have half the
        size, and features differ in the third or fourth digit.  `provenance` adds environment, data, metrics
        and command to the configuration and to the card.

        Raises:
            CheckpointError: `load_encoder` would refuse the network's arguments; nothing is written.
        """
        check_saved(self.spec, self.backbone.architecture)
        settings = ImageEncoderSettings(self.spec, self.readout.name, self.backbone.architecture)
        entries = None if provenance is None else provenance.entries()
        folder = checkpoint.save(self, settings, folder, half=half, entries=entries)
        write_card(folder, self.card())
        return folder

    def set_readout(self, readout: str | Readout, seed: int = 0) -> "ImageEncoder":
        """Replace the readout and return the encoder itself.

        Raises:
            ValueError: the network lacks the features that the readout needs.
        """
        self.readout = self._fit(readout, seed)
        self.state_version += 1
        if self.frozen:
            self.freeze()
        return self

    def apply_readout(self, features: Features) -> Float[Tensor, "images *out"]:
        """Pool features into one vector per image; `readout.combine_views` combines them per frame."""
        vectors: Tensor = self.readout(features)
        return vectors

    def encode_images(self, batches: Sequence[np.ndarray | Tensor]) -> Float[Tensor, "images *out"]:
        """Encode batches of images of different sizes without a gradient; one vector per image, in order.

        Each forward pass takes up to `chunk_size` images.  The result supports autograd.

        Raises:
            MemoryError: the device runs out of memory.
        """
        limit_forked_threads()
        with explain_out_of_memory(self.device, self.chunk_size), torch.inference_mode():
            checked = [self.preprocess.check(batch) for batch in batches]
            vectors = [self._encode_chunk(chunk) for chunk in split_into_chunks(checked, self.chunk_size)]
        # Created outside inference mode, so that a policy may train on them.
        return torch.cat(vectors) if len(vectors) > 1 else vectors[0].clone()

    def encode(
        self, frames: np.ndarray | Tensor, previous: np.ndarray | Tensor | None = None
    ) -> Float[Tensor, "batch *out"]:
        """Encode a batch of frames, of the shapes that `Preprocess` lists, without a gradient.

        `previous` are the frames one step earlier; only motion readouts need them.

        Raises:
            TypeError, ValueError: the network does not support these frames; the message states why.
            MemoryError: the device runs out of memory.
        """
        limit_forked_threads()
        checked, readout = self.preprocess.check(frames), self.readout
        if not len(checked):
            return torch.zeros((0, *self.output_shape), device=self.device)
        if type(readout).make_views is Readout.make_views:  # a frame is its own view
            return self.encode_images([checked])
        if previous is not None:
            previous = self.preprocess.check(previous).to(self.device)
        # Frames per chunk, so that a chunk has at most `chunk_size` views.
        size = len(checked) if self.chunk_size is None else max(1, self.chunk_size // readout.views_per_frame)
        return torch.cat(
            [
                self._encode_views(
                    self.make_views(chunk, None if previous is None else previous[start : start + size])
                )
                for start, chunk in zip(range(0, len(checked), size), checked.split(size), strict=True)
            ]
        )

    def make_views(self, frames: Tensor, previous: Tensor | None = None) -> ImageViews:
        """Return the readout's views of frames with the channels last, on the encoder's device."""
        limit_forked_threads()
        with explain_out_of_memory(self.device, self.chunk_size), torch.inference_mode():
            return self.readout.make_views(frames.to(self.device), previous)

    def _encode_views(self, views: ImageViews) -> Tensor:
        with torch.no_grad():
            return self.readout.combine_views(self.encode_images(views.batches), views.indices)

    def _encode_chunk(self, chunk: Sequence[Tensor]) -> Tensor:
        prepared = [self.preprocess.prepare(batch.to(self.device, non_blocking=True)) for batch in chunk]
        return self.apply_readout(self(prepared[0] if len(prepared) == 1 else torch.cat(prepared))).float()

    def _fit(self, readout: str | Readout, seed: int) -> Readout:
        fitted, self._output_shape = fit_readout(readout, self._example, self.device, seed)
        return fitted

    def _compared_readout(self) -> Callable[[Features], Tensor] | None:
        return self.apply_readout if is_fitted(self.readout) else None
