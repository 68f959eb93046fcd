"""How an environment's observations are encoded: what the three wrappers are told.

`EncoderSource`   what a wrapper takes as its encoder
`EncodeSettings`  the options of the three
`open_encoder`    both to an encoder
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch

from rlpriors.device import resolve_device
from rlpriors.encoders.encoder import Amp, ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint
from rlpriors.encoders.load import load_encoder
from rlpriors.encoders.readouts.frame_fusion import FUSES

__all__ = ["Cache", "DType", "EncodeSettings", "EncoderSource", "Output", "open_encoder"]

EncoderSource: TypeAlias = str | os.PathLike[str] | ImageEncoder
"""A name that `load_encoder` knows, the folder of a saved encoder, or an `ImageEncoder`."""

Cache: TypeAlias = Literal["frame", "crop"] | int | None
DType: TypeAlias = Literal["float32", "float16"]
Output: TypeAlias = Literal["numpy", "torch"]

LOADING = (
    *("readout", "weights", "input_size", "amp", "compile", "channels_last"),
    *("chunk_size", "allow_noncommercial"),
)  # options that `load_encoder` takes, and an encoder that is loaded already has


@dataclass(frozen=True, kw_only=True)
class EncodeSettings:
    """How an environment's observations are encoded.

    Raises:
        ValueError: a field is out of its bounds.
    """

    readout: str | None = None
    """What is read from the network's features, such as "grid(2)" or "crops(1,2,4)"; None is the saved one
    of a saved encoder, else "cls"."""
    weights: str = "auto"
    """The published or saved ones, a file, or "none" for random ones."""
    input_size: Sequence[int] | None = None
    """Height and width that the network sees; smaller is quicker."""
    keys: Sequence[str] | None = None
    """Leaves of a Dict observation to encode; None for all uint8 images.  The rest passes through."""
    layout: str | None = None
    """The axes of these images by letters, such as "HWC", "CHW" or "THW"; None finds out."""
    keep_pixels: bool = False
    """Keep each image "x" beside its encoding, as "x_pixels"; an observation that is an image itself becomes
    a Dict of "encoded" and "pixels"."""
    stack: int = 1
    """How many frames, the present one included, an observation shows."""
    fuse: str = "concat"
    """How several frames become one array: "concat", "flare" or "stack"; see `readouts.frame_fusion`."""
    device: str | torch.device = "auto"
    """Where the network lies; with "auto" an `ImageEncoder` stays where it is."""
    amp: Amp | None = None
    """Half precision inside the network: "bf16" or "fp16"."""
    compile: bool = False
    """Use torch.compile: a slow start, then a faster network."""
    channels_last: bool = False
    """The memory layout that convolutions prefer."""
    output: Output = "numpy"
    """Arrays, or tensors on the network's device; always in memory of their own."""
    dtype: DType = "float32"
    """Of the encodings; in float16 what is beyond 65504 becomes that."""
    cache: Cache = None
    """Do not encode again what was seen before, to the byte: whole frames, or each crop of a readout
    that cuts frames up.  A number bounds how many are kept, of crops where there are any."""
    chunk_size: int | None = None
    """How many images the network sees at once; None for all."""
    allow_noncommercial: bool = False
    """Accept weights whose license asks for it."""
    fingerprint: str | os.PathLike[str] | Mapping[str, Any] | None = None
    """A folder of encoded data, or what its `fingerprint.json` holds: another encoder than the one that
    made these is refused."""

    def __post_init__(self) -> None:
        choices = {"output": get_args(Output), "dtype": get_args(DType), "fuse": tuple(FUSES)}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"`{name}` must be one of {list(known)}. Received {getattr(self, name)!r}.")
        if self.stack < 1:
            raise ValueError(f"`stack` must be at least 1, the present frame alone. Received {self.stack}.")
        sized = isinstance(self.cache, int) and self.cache >= 1 and self.cache is not True
        if self.cache not in (None, "frame", "crop") and not sized:
            raise ValueError(
                '`cache` must be None, "frame", "crop" or the number of images to keep. '
                f"Received {self.cache!r}."
            )

    def as_json(self) -> dict[str, Any]:
        """Plain data that gives the same settings again, for an environment's spec."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        plain: dict[str, Any] = {}
        for name in ("keys", "input_size"):
            plain[name] = None if data[name] is None else list(data[name])
        if isinstance(self.fingerprint, Mapping):
            plain["fingerprint"] = dict(self.fingerprint)
        elif self.fingerprint is not None:
            plain["fingerprint"] = os.fspath(self.fingerprint)
        return {**data, **plain, "device": str(self.device)}


def open_encoder(encoder: EncoderSource, settings: EncodeSettings) -> ImageEncoder:
    """Load the encoder, or move the one that is given; check that it is the one that is asked for.

    Raises:
        ValueError: it is another one than `settings.fingerprint` tells, or options for loading were
            given for an encoder that is loaded already; and what `load_encoder` raises.
        TypeError: it is neither a name nor an `ImageEncoder`.
        FileNotFoundError: `settings.fingerprint` is no folder of encoded data.
    """
    if isinstance(encoder, ImageEncoder):
        defaults = {field.name: field.default for field in fields(EncodeSettings)}
        given = [name for name in LOADING if getattr(settings, name) != defaults[name]]
        if given:
            told = ", ".join(f"{name}={getattr(settings, name)!r}" for name in given)
            raise ValueError(
                f"`encoder` is loaded already, so that {told} comes too late. Received an ImageEncoder; give "
                f"{'these' if len(given) > 1 else 'this'} to `load_encoder`."
            )
        if settings.device != "auto":
            encoder.to(resolve_device(settings.device))
        opened = encoder
    elif isinstance(encoder, str | os.PathLike):
        options: dict[str, Any] = {name: getattr(settings, name) for name in LOADING}
        if settings.input_size is not None:
            height, width = settings.input_size
            options["input_size"] = (height, width)
        opened = load_encoder(os.fspath(encoder), device=settings.device, channels="last", **options)
    else:
        raise TypeError(
            "`encoder` must be a name that `load_encoder` knows, the folder of a saved encoder, or an "
            f"ImageEncoder. Received a {type(encoder).__name__}."
        )
    if settings.fingerprint is not None:
        _check_fingerprint(settings.fingerprint, opened)
    return opened


def _check_fingerprint(source: str | os.PathLike[str] | Mapping[str, Any], encoder: ImageEncoder) -> None:
    if isinstance(source, Mapping):
        theirs, name = Fingerprint.from_dict(source), "the given one"
    else:
        path = Path(source) / "fingerprint.json"
        if not path.is_file():
            raise FileNotFoundError(
                "`fingerprint` must be a folder that encode_dataset wrote, or what its fingerprint.json "
                f"holds. Received {str(source)!r}; there is no {path}."
            )
        theirs, name = Fingerprint.from_dict(json.loads(path.read_text())), str(path)
    mine = encoder.fingerprint()
    differ = mine.difference(theirs)
    if differ:
        raise ValueError(
            f"`fingerprint` must be this encoder's, but {' and '.join(differ)} differ from {name}: "
            f"{mine.explain(theirs)}. Encodings of the two cannot be mixed: use the encoder that made the "
            "data, or encode the data anew."
        )
