"""Options of the encode wrappers, declared once.

`EncodeOptions`         dataclass of the options: their defaults, documentation and bounds
`TensorEncodeOptions`   keyword arguments of `TensorEncodeObservation`, for type checkers
`NumpyEncodeOptions`    keyword arguments of `TianshouEncodeObservation`
`EncodeOptionsDict`     keyword arguments of `EncodeObservation` and `VectorEncodeObservation`
`show_options`          decorator that lists the options in the signature of a constructor
`Cache`                 type of the option `cache`
"""

import inspect
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

import torch

from rlpriors.encoders.backend_choice import BackendOption
from rlpriors.encoders.encoder import Amp
from rlpriors.encoders.readouts.frame_fusion import FRAME_FUSIONS
from rlpriors.encoders.spec import check_size
from rlpriors.settings import check_fields

__all__ = [
    "Cache",
    "EncodeOptions",
    "EncodeOptionsDict",
    "NumpyEncodeOptions",
    "TensorEncodeOptions",
    "show_options",
]

Cache: TypeAlias = Literal["frame", "crop"] | int | None
DType: TypeAlias = Literal["float32", "float16"]
Output: TypeAlias = Literal["numpy", "torch"]
Init = TypeVar("Init", bound=Callable[..., None])


class TensorEncodeOptions(TypedDict, total=False):
    """Keyword arguments of the encode wrappers without `output` and `cache`; see `EncodeOptions` for each."""

    readout: str | None
    weights: str | os.PathLike[str]
    input_size: Sequence[int] | None
    stride: int | None
    obs_keys: Sequence[str] | None
    layout: str | Mapping[str, str] | None
    keep_pixels: bool
    stack: int
    fuse: str
    device: str | torch.device
    amp: Amp | None
    compile: bool
    backend: BackendOption
    channels_last: bool
    dtype: DType
    chunk_size: int | None
    allow_noncommercial: bool
    fingerprint: str | os.PathLike[str] | Mapping[str, Any] | None


class NumpyEncodeOptions(TensorEncodeOptions, total=False):
    """Keyword arguments of the encode wrappers without `output`; see `EncodeOptions` for each."""

    cache: Cache


class EncodeOptionsDict(NumpyEncodeOptions, total=False):
    """Keyword arguments of the encode wrappers; see `EncodeOptions` for each."""

    output: Output


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """Options for encoding an environment's observations.

    Raises:
        ValueError: a field is out of its bounds.
    """

    readout: str | None = None
    """Readout of the network's features, such as "grid(2)" or "crops(1,2,4)"; None for the readout of a
    saved encoder, else "cls"."""
    weights: str | os.PathLike[str] = "auto"
    """Weights of the network: "auto" for the published or saved weights, a file, or "none" for random
    weights."""
    input_size: Sequence[int] | None = None
    """Height and width of the network's input; a smaller input is faster."""
    stride: int | None = None
    """Pixels per cell of the map at which a convolutional network ends, such as 8 or 16; None for the whole
    network.  An earlier map resolves smaller objects and costs less."""
    obs_keys: Sequence[str] | None = None
    """Leaves of a Dict observation to encode; None for all uint8 images.  Other leaves pass unchanged."""
    layout: str | Mapping[str, str] | None = None
    """Letters of the image axes: H, W, channels C, channels with alpha A, frames T; for example "HWC", "THW",
    or "(TC)HW" for frames merged into channels.  A mapping gives the layout of each leaf by its name.  None
    for detection, which refuses ambiguous shapes."""
    keep_pixels: bool = False
    """Keep each image "x" next to its encoding as "x_pixels".  An observation that is an image itself
    becomes a Dict of "encoded" and "pixels"."""
    stack: int = 1
    """Number of frames in an observation, the current frame included."""
    fuse: str = "concat"
    """Fusion of several frames into one array: "concat", "flare" or "stack"; see `readouts.frame_fusion`."""
    device: str | torch.device = "auto"
    """Device of the network; with "auto" an `ImageEncoder` is not moved."""
    amp: Amp | None = None
    """Half precision inside the network: "bf16" or "fp16"."""
    compile: bool = False
    """Compilation of the network by torch.compile: a slow start, then faster steps."""
    backend: BackendOption = "torch"
    """Library that runs the network: "torch", "openvino" (faster on many CPUs), or "auto" for OpenVINO where
    it is installed and gives the features of torch."""
    channels_last: bool = False
    """Channels-last memory layout, which is faster for convolutions."""
    output: Output = "numpy"
    """Type of the encodings: "numpy" arrays or "torch" tensors on the network's device; always a copy."""
    dtype: DType = "float32"
    """Data type of the encodings; with "float16" values beyond 65504 are clipped."""
    cache: Cache = None
    """Cache of encodings by image bytes: of whole frames ("frame") or of each crop of a readout that cuts
    frames ("crop").  A number limits the cached images: crops if the readout cuts frames, else frames."""
    chunk_size: int | None = None
    """Number of images per forward pass; None for all."""
    allow_noncommercial: bool = False
    """Acceptance of weights with a non-commercial license."""
    fingerprint: str | os.PathLike[str] | Mapping[str, Any] | None = None
    """Folder of encoded data, or the content of its `fingerprint.json`.  An encoder other than the one that
    encoded these data is refused.  Another backend is accepted in 32 bits, where backends agree within 0.001
    of the features' standard deviation."""

    def __post_init__(self) -> None:
        if self.input_size is not None:
            object.__setattr__(self, "input_size", check_size("input_size", self.input_size))
        check_fields(self)
        if self.fuse not in FRAME_FUSIONS:
            raise ValueError(f"`fuse` must be one of {list(FRAME_FUSIONS)}. Received {self.fuse!r}.")
        if self.stack < 1:
            raise ValueError(f"`stack` must be at least 1, the current frame. Received {self.stack}.")
        if isinstance(self.cache, int) and self.cache < 1:
            raise ValueError(
                '`cache` must be None, "frame", "crop" or the number of images to keep. '
                f"Received {self.cache!r}."
            )

    def as_json(self) -> dict[str, Any]:
        """Return the options as plain data for an environment's spec."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("obs_keys", "input_size"):
            values[name] = None if values[name] is None else list(values[name])
        if isinstance(self.fingerprint, Mapping):
            values["fingerprint"] = dict(self.fingerprint)
        elif self.fingerprint is not None:
            values["fingerprint"] = os.fspath(self.fingerprint)
        if isinstance(self.weights, os.PathLike):
            values["weights"] = os.fspath(self.weights)
        if isinstance(self.layout, Mapping):
            values["layout"] = dict(self.layout)
        return {**values, "device": str(self.device)}


def show_options(*, without: Collection[str] = ()) -> Callable[[Init], Init]:
    """Decorate a constructor with `**options` so that `help` and `inspect.signature` list each option.

    Example:
        >>> class Wrapper:
        ...     @show_options(without={"output"})
        ...     def __init__(self, env, encoder, **options): ...
        >>> list(inspect.signature(Wrapper).parameters)[:4]
        ['env', 'encoder', 'readout', 'weights']
    """

    def decorate(init: Init) -> Init:
        signature = inspect.signature(init)
        positional = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            p for name, p in inspect.signature(EncodeOptions).parameters.items() if name not in without
        ]
        init.__signature__ = signature.replace(parameters=[*positional, *options])  # type: ignore[attr-defined]
        return init

    return decorate
