"""Image encoders: preprocessing, backbone and readout as one module.

`ImageEncoder`           module from frames to vectors
`ImageEncoderSettings`   settings that rebuild a saved encoder
`Amp`                    names of the half precisions
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors import checkpoint
from rlpriors.device import limit_forked_threads, resolve_device
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.chunking import explain_out_of_memory, split_into_chunks
from rlpriors.encoders.fingerprint import Fingerprint, weights_digest
from rlpriors.encoders.openvino_backend import Backend, Calibration, OpenVINONetwork, check_backend
from rlpriors.encoders.preprocess import Channels, Preprocess
from rlpriors.encoders.readouts.base import ImageViews
from rlpriors.encoders.readouts.registry import Readout, available_readouts, parse_readout
from rlpriors.encoders.readouts.transform_base import is_fitted
from rlpriors.encoders.saved import check_saved, encoder_card
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.encoders.state_version import StateVersion
from rlpriors.settings import check_fields
from rlpriors.sharing.card import Card, write_card
from rlpriors.sharing.interface import count_weights
from rlpriors.sharing.provenance import Provenance
from rlpriors.types import Features

__all__ = ["Amp", "ImageEncoder", "ImageEncoderSettings"]

Amp = Literal["bf16", "fp16"]
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Fields of a spec that identify a network, and fields that define the preprocessing of frames.
IDENTITY_FIELDS = ["source", "model_id", "revision", "head", "layout", "options"]
PREPROCESS_FIELDS = [
    "input_size",
    "channels",
    "frames",
    "resize",
    "crop_pct",
    "interpolation",
    "antialias",
    "mean",
    "std",
]


@dataclass(frozen=True)
class ImageEncoderSettings:
    """Settings that rebuild a saved encoder; `ImageEncoder.save` writes them."""

    spec: EncoderSpec
    """Specification of the encoder, with the selected input size and resize."""
    readout: str
    """Specification of the readout."""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    """Description of the backbone's network; see `Backbone.architecture`."""

    def __post_init__(self) -> None:
        check_fields(self)


class ImageEncoder(StateVersion):
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
        super().__init__()
        if amp is not None and amp not in get_args(Amp):
            raise ValueError(f"`amp` must be None or one of {list(get_args(Amp))}. Received {amp!r}.")
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"`chunk_size` must be at least 1, or None. Received {chunk_size}.")
        resolved = resolve_device("cpu" if (backend, device) == ("openvino", "auto") else device)
        check_backend(backend, amp, resolved, compile)
        self.spec, self.amp, self.chunk_size = spec, amp, chunk_size
        self.backend: Backend = backend
        self._calibration: Calibration | None = None
        self.frozen = True
        self.preprocess = Preprocess(spec, channels=channels, channels_last=channels_last)
        self.backbone = backbone
        if channels_last:
            self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._compile, self._compiled = compile, cast(dict[str, Any], {})
        self.to(resolved)
        self.eval()
        self._example = self._example_features()
        self.readout = self._build_readout(readout, seed)
        self.freeze()
        self._record_tensors()

    @property
    def device(self) -> torch.device:
        """Device of the weights and of the encodings."""
        return self.preprocess.scale.device

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one frame's encoding."""
        return self._output_shape

    @property
    def output_space(self) -> gym.spaces.Box:
        """Space of one frame's encoding."""
        return gym.spaces.Box(-np.inf, np.inf, self.output_shape, np.float32)

    @property
    def precision(self) -> str:
        """Precision of the network: "fp32", "bf16", "fp16", or "int8-" with a digest of its calibration."""
        if self._calibration is not None:
            return f"int8-{self._calibration.digest}"
        return self.amp or "fp32"

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of this encoder's output; each call reads all weights."""
        spec = asdict(self.spec)
        readout = {"name": self.readout.name, "weights": weights_digest(self.readout)}
        cut = {} if self.spec.stride is None else {"stride": self.spec.stride}
        return Fingerprint(
            spec={name: spec[name] for name in IDENTITY_FIELDS} | cut,
            weights=weights_digest(self.backbone),
            preprocess={name: spec[name] for name in PREPROCESS_FIELDS},
            readout=readout,
            precision=self.precision,
            backend=self.backend,
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
        self.readout = self._build_readout(readout, seed)
        self.state_version += 1
        if self.frozen:
            self.freeze()
        return self

    def set_backend(self, backend: Backend, calibration: Calibration | None = None) -> "ImageEncoder":
        """Select the library that runs the network, convert it at once and return the encoder itself.

        With a `calibration` the network computes in 8 bits; see `quantize`.

        Raises:
            ValueError: the backend does not support this network, its device or its options, or the encoder
                is not frozen; the backend is then unchanged.
            ImportError: the backend is not installed.
        """
        check_backend(backend, self.amp, self.device, self._compile)
        if calibration is not None and self.amp is not None:
            raise ValueError(
                f"`amp` must be None for a network in 8 bits. Received {self.amp!r}; load the encoder "
                "without it."
            )
        if backend != "torch" and not self.frozen:
            raise ValueError(
                f"`backend` must be 'torch' for an encoder that is trained. Received {backend!r}; call its "
                "`freeze()` first."
            )
        before, calibrated, version = self.backend, self._calibration, self.state_version
        if (backend, calibration) != (before, calibrated):
            self.state_version, self._compiled = version + 1, {}
            self.backend, self._calibration = backend, calibration
        try:
            return self.convert()
        except (ValueError, ImportError):
            self.backend, self._calibration, self.state_version = before, calibrated, version
            raise

    def freeze(self) -> "ImageEncoder":
        """Disable gradients of all weights, switch to evaluation mode and return the encoder itself."""
        self.frozen = True
        self.requires_grad_(False)
        return self.train(False)

    def unfreeze(self) -> "ImageEncoder":
        """Enable gradients of all weights and `train()`, and return the encoder itself.

        Raises:
            ValueError: the backend computes no gradients.
        """
        if self.backend != "torch":
            raise ValueError(
                f"`unfreeze` requires backend='torch'. Received {self.backend!r}, which computes no "
                "gradients; load the encoder again."
            )
        self.frozen = False
        return self.requires_grad_(True)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Set the training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """Compute the float32 features of prepared frames, differentiably if weights or `x` require it."""
        if self.backend == "openvino":
            return self._openvino_network()(x)
        with self._autocast():
            features: Features = self._network()(x)
        return _as_floats(features)

    @property
    def can_mask(self) -> bool:
        """True if `forward_tokens` is supported."""
        return bool(self.backbone.can_mask) and self.backend == "torch"

    def forward_tokens(
        self, x: Float[Tensor, "batch channels height width"], visible: Int[Tensor, "batch visible"]
    ) -> Features:
        """Compute features from visible tokens alone; see `Backbone.forward_tokens`.

        Raises:
            ValueError: the backend cannot leave tokens out.
        """
        if self.backend != "torch":
            raise ValueError(f"`forward_tokens` requires backend='torch'. Received {self.backend!r}.")
        with self._autocast():
            features: Features = self._network("forward_tokens")(x, visible)
        return _as_floats(features)

    def apply_readout(self, features: Features) -> Float[Tensor, "images *out"]:
        """Pool features into one vector per image; `readout.combine_views` combines them per frame."""
        vectors: Tensor = self.readout(features)
        return vectors

    def convert(self) -> "ImageEncoder":
        """Convert the network for its backend now and not at the next forward pass; return the encoder.

        Raises:
            ValueError: the backend does not support this network.
        """
        if self.backend == "openvino":
            self._openvino_network()
        return self

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

    def _example_features(self) -> Features:
        """Return the features of one black frame, whose sizes readouts are built for."""
        height, width = self.spec.input_size
        frames = torch.zeros(1, height, width, self.spec.channels, dtype=torch.uint8, device=self.device)
        try:
            with torch.no_grad():  # not inference mode: readouts build weights from these
                features: Features = self.backbone(self.preprocess.prepare(frames))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"{self.spec.name!r} cannot take frames of input_size={self.spec.input_size} with "
                f"{self.spec.channels} channels: {error}. Leave `input_size` out, or pass another."
            ) from error
        return features

    @torch.random.fork_rng(devices=[])  # layers draw initial weights before those of `seed`
    def _build_readout(self, readout: str | Readout, seed: int) -> Readout:
        global_, tokens, maps = self._example
        example = Features(  # the encoder may have moved to another device
            global_.to(self.device),
            None if tokens is None else tokens.to(self.device),
            None if maps is None else maps.to(self.device),
        )
        parsed = parse_readout(readout).to(self.device)
        reason = parsed.missing_features(example)
        if reason is not None:
            available = ", ".join(available_readouts(example))
            raise ValueError(f"`readout` {parsed.name!r} {reason}. This encoder can give: {available}.")
        fitted = parsed.build(example, seed).to(self.device)
        fitted.eval()
        self._output_shape = tuple(fitted.output_shape(example))
        return fitted

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.device.type, AMP_DTYPES[self.amp])

    def _openvino_network(self) -> OpenVINONetwork:
        version = self.state_version
        if self._compiled.get("version") != version:
            height, width = self.spec.input_size
            generator = torch.Generator().manual_seed(0)
            size = (3, height, width, self.spec.channels)
            noise = torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
            pixels = self.preprocess.prepare(noise)
            readout = self.apply_readout if is_fitted(self.readout) else None
            network = OpenVINONetwork(self.backbone, pixels, self.amp, readout, self._calibration)
            self._compiled = {"version": version, "openvino": network}
        converted: OpenVINONetwork = self._compiled["openvino"]
        return converted

    def _network(self, method: str = "forward") -> Any:
        if not self._compile:
            return self.backbone if method == "forward" else self.backbone.forward_tokens
        if method not in self._compiled:
            # A compiled module would appear in the state dictionary a second time; a function does not.
            self._compiled[method] = torch.compile(getattr(self.backbone, method))
        return self._compiled[method]

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions cannot be copied; the next forward pass compiles again.
        return {**self.__dict__, "_compiled": {}}


def _as_floats(features: Features) -> Features:
    global_, tokens, maps = features
    return Features(
        global_.float(),
        None if tokens is None else tokens.float(),
        None if maps is None else maps.float(),
    )
