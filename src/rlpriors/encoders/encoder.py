"""What every encoder is, whatever network stands in it.

`Backbone`               a network that gives `Features`; each loader of this library builds one
`ImageEncoder`           preprocessing, backbone and readout as one module: frames in, vectors out
`ImageEncoderSettings`   what a saved encoder is rebuilt from
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
from torch import Tensor, nn

from rlpriors import checkpoint
from rlpriors.device import resolve_device
from rlpriors.encoders.chunking import groups, memory_advice
from rlpriors.encoders.fingerprint import Fingerprint, weights_digest
from rlpriors.encoders.preprocess import Channels, Preprocess
from rlpriors.encoders.readouts.base import Views
from rlpriors.encoders.readouts.registry import Readout, available_readouts, parse_readout
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["Amp", "Backbone", "ImageEncoder", "ImageEncoderSettings"]

Amp = Literal["bf16", "fp16"]
AMP_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Fields of a spec that name a network, and those that say how frames are prepared for it.
IDENTITY = ["source", "model_id", "revision", "head", "layout", "options"]
PREPROCESS = [
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


class Backbone(nn.Module):
    """A network from prepared pixels to `Features`.

    Example:
        >>> class Average(Backbone):
        ...     def forward(self, x):
        ...         return Features(global_=x.mean((2, 3)), tokens=None, maps=x)
        >>> Average()(torch.zeros(2, 3, 8, 8)).global_.shape
        torch.Size([2, 3])
    """

    architecture: dict[str, Any]
    """What its loader needs, beside the spec, to build the same network untrained; plain data."""
    can_mask = False
    """Whether `see` can leave tokens out."""

    def __init__(self, architecture: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.architecture = dict(architecture or {})

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """What the network sees in each image or clip of the batch."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it sees: write `forward`.")

    def see(
        self, x: Float[Tensor, "batch channels height width"], kept: Int[Tensor, "batch kept"]
    ) -> Features:
        """The same from some tokens of each image alone: `kept` counts them row by row from the top left.

        Tokens come in the order of `kept`; there are no maps.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot leave tokens out.")


@dataclass(frozen=True)
class ImageEncoderSettings:
    """What a saved encoder is rebuilt from; made by `ImageEncoder.save`."""

    spec: EncoderSpec
    """Its card, with the input size and the resize that were chosen."""
    readout: str
    """The readout's name."""
    architecture: Mapping[str, Any] = field(default_factory=dict)
    """The backbone's own description of its network."""


class ImageEncoder(nn.Module):
    """Frames in, one vector (or array) for each out: a preprocessing, a backbone and a readout.

    `load_encoder` makes one from a name or a folder.  It is frozen: no gradient reaches its weights,
    and it stays in evaluation mode whatever `train()` is called on it or on what holds it, so that
    batch statistics do not move either; `unfreeze` gives up both, for an encoder that shall learn.

    `readout` is a name such as "cls", "grid(2)" or "crops(1,2,4)" or a `Readout`; `seed` draws the
    weights of those that have any.  `amp` computes in half precision, `compile` by torch.compile,
    `channels_last` sets the memory layout that convolutions prefer; `chunk_size` bounds the images
    that the network sees at once.

    Raises:
        ValueError: an option is unknown, or the network cannot take this input size or give this
            readout.

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
        resolved = resolve_device(device)
        self.spec, self.amp, self.chunk_size = spec, amp, chunk_size
        self.frozen = True
        self.changes = 0  # raised when readout or weights are replaced, and earlier encodings out of date
        self.preprocess = Preprocess(spec, channels=channels, channels_last=channels_last)
        self.backbone = backbone
        if channels_last:
            self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._compile, self._compiled = compile, cast(dict[str, Any], {})
        self.to(resolved)
        self.eval()
        self._example = self._describe()
        self.readout = self._fit(readout, seed)
        self.freeze()

    @property
    def device(self) -> torch.device:
        """Where its weights lie and its encodings come to be."""
        return self.preprocess.scale.device

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of one frame's encoding."""
        return self._output_shape

    @property
    def output_space(self) -> gym.spaces.Box:
        """The space of one frame's encoding."""
        return gym.spaces.Box(-np.inf, np.inf, self.output_shape, np.float32)

    def fingerprint(self) -> Fingerprint:
        """What tells this encoder's output from any other's; all weights are read at each call."""
        spec = asdict(self.spec)
        readout = {"name": self.readout.name, "weights": weights_digest(self.readout)}
        return Fingerprint(
            spec={name: spec[name] for name in IDENTITY},
            weights=weights_digest(self.backbone),
            preprocess={name: spec[name] for name in PREPROCESS},
            readout=readout,
        )

    def save(self, folder: str | Path, *, half: bool = False) -> Path:
        """Publish the encoder in `folder`, to be loaded by its path: `load_encoder(folder)`.

        `half` writes weights with 16 bits, which are 32 again when they are loaded: half the size, and
        features that differ in the third or fourth digit.
        """
        settings = ImageEncoderSettings(self.spec, self.readout.name, self.backbone.architecture)
        return checkpoint.save(self, settings, folder, half=half)

    def set_readout(self, readout: str | Readout, seed: int = 0) -> "ImageEncoder":
        """Replace the readout, and return the encoder itself.

        Raises:
            ValueError: the network cannot give it.
        """
        self.readout = self._fit(readout, seed)
        self.changes += 1
        if self.frozen:
            self.freeze()
        return self

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As every module; what was encoded before is then out of date."""
        self.changes += 1
        return super().load_state_dict(*args, **kwargs)

    def freeze(self) -> "ImageEncoder":
        """No gradient for any weight, evaluation mode from now on."""
        self.frozen = True
        self.requires_grad_(False)
        return self.train(False)

    def unfreeze(self) -> "ImageEncoder":
        """Gradients for all weights; `train()` is obeyed again."""
        self.frozen = False
        return self.requires_grad_(True)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Nothing happens while the encoder is frozen."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """Prepared frames to features, in float32, with a gradient where weights or `x` ask for one."""
        with self._autocast():
            features: Features = self._network()(x)
        return _as_floats(features)

    @property
    def can_mask(self) -> bool:
        """Whether `see` can leave tokens out."""
        return bool(self.backbone.can_mask)

    def see(
        self, x: Float[Tensor, "batch channels height width"], kept: Int[Tensor, "batch kept"]
    ) -> Features:
        """Features of prepared frames from some of their tokens alone; see `Backbone.see`."""
        with self._autocast():
            features: Features = self._network("see")(x, kept)
        return _as_floats(features)

    def read(self, features: Features) -> Float[Tensor, "images *out"]:
        """Features to one vector for each image; `readout.join` makes frames of crops' vectors."""
        vectors: Tensor = self.readout(features)
        return vectors

    def vectors(self, parts: Sequence[np.ndarray | Tensor]) -> Float[Tensor, "images *out"]:
        """One vector for each image of `parts`, in order: batches of frames of any sizes, at once.

        The network sees `chunk_size` images at a time.  No gradient; ordinary tensors come back.

        Raises:
            MemoryError: the device is too small for that many images.
        """
        with memory_advice(self.device, self.chunk_size), torch.inference_mode():
            checked = [self.preprocess.check(part) for part in parts]
            pieces = [self._vectors_at_once(group) for group in groups(checked, self.chunk_size)]
        # Made outside inference mode, so that a policy may train on them.
        return torch.cat(pieces) if len(pieces) > 1 else pieces[0].clone()

    def encode(
        self, frames: np.ndarray | Tensor, previous: np.ndarray | Tensor | None = None
    ) -> Float[Tensor, "batch *out"]:
        """Encode a batch of frames (see `Preprocess` for what may come) without a gradient.

        `previous` are the frames one step earlier; only readouts that look at motion need them.

        Raises:
            TypeError, ValueError: frames that the network cannot see; the message says why.
            MemoryError: the device is too small for that many images.
        """
        checked, readout = self.preprocess.check(frames), self.readout
        if not len(checked):
            return torch.zeros((0, *self.output_shape), device=self.device)
        if type(readout).views is Readout.views:  # a frame is its own view
            return self.vectors([checked])
        before = None if previous is None else self.preprocess.check(previous).to(self.device)
        count = (
            len(checked) if self.chunk_size is None else max(1, self.chunk_size // readout.views_per_frame)
        )
        joined = [
            self._encode_views(self.views(some, None if before is None else before[start : start + count]))
            for start, some in zip(range(0, len(checked), count), checked.split(count), strict=True)
        ]
        return torch.cat(joined)

    def views(self, frames: Tensor, previous: Tensor | None = None) -> Views:
        """The images that the readout wants encoded for frames with the channels last, on the device."""
        with memory_advice(self.device, self.chunk_size), torch.inference_mode():
            return self.readout.views(frames.to(self.device), previous)

    def _encode_views(self, views: Views) -> Tensor:
        with torch.no_grad():
            return self.readout.join(self.vectors(views.parts), views.order)

    def _vectors_at_once(self, group: Sequence[Tensor]) -> Tensor:
        prepared = [self.preprocess.prepare(part.to(self.device, non_blocking=True)) for part in group]
        return self.read(self(prepared[0] if len(prepared) == 1 else torch.cat(prepared))).float()

    def _describe(self) -> Features:
        """Features of one black frame: what the network gives, of which sizes."""
        height, width = self.spec.input_size
        frames = torch.zeros(1, height, width, self.spec.channels, dtype=torch.uint8, device=self.device)
        try:
            with torch.no_grad():  # not inference mode: readouts make their weights from these
                features: Features = self.backbone(self.preprocess.prepare(frames))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ValueError(
                f"{self.spec.name!r} cannot take frames of input_size={self.spec.input_size} with "
                f"{self.spec.channels} channels: {error}. Leave `input_size` out, or give another."
            ) from error
        return features

    def _fit(self, readout: str | Readout, seed: int) -> Readout:
        global_, tokens, maps = self._example
        example = Features(  # the encoder may have moved since they were seen
            global_.to(self.device),
            None if tokens is None else tokens.to(self.device),
            None if maps is None else maps.to(self.device),
        )
        parsed = parse_readout(readout).to(self.device)
        reason = parsed.lacks(example)
        if reason is not None:
            known = ", ".join(available_readouts(example))
            raise ValueError(f"`readout` {parsed.name!r} {reason}. This encoder can give: {known}.")
        fitted = parsed.build(example, seed).to(self.device)
        fitted.eval()
        self._output_shape = tuple(fitted.output_shape(example))
        return fitted

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.device.type, AMP_DTYPES[self.amp])

    def _network(self, way: str = "forward") -> Any:
        if not self._compile:
            return self.backbone if way == "forward" else self.backbone.see
        if way not in self._compiled:
            # The function, not the module: that would stand in the state dictionary a second time.
            self._compiled[way] = torch.compile(getattr(self.backbone, way))
        return self._compiled[way]

    def __getstate__(self) -> dict[str, Any]:
        # A compiled function cannot be copied; it comes back with the next forward pass.
        return {**self.__dict__, "_compiled": {}}


def _as_floats(features: Features) -> Features:
    global_, tokens, maps = features
    return Features(
        global_.float(),
        None if tokens is None else tokens.float(),
        None if maps is None else maps.float(),
    )
