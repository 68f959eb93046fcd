"""Specifications of encoders, known before anything is downloaded.

`EncoderSpec`     source of the weights, preprocessing of frames, and license
`Source`          names of the loaders
`Resize`          names of the resize modes
`Interpolation`   names of the resize filters
`check_size`      check of an image size, and its conversion to a tuple
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal

from rlpriors.settings import check_fields

__all__ = ["EncoderSpec", "Interpolation", "Resize", "Source", "check_size"]

Source = Literal["timm", "huggingface", "torchhub", "published", "network", "local"]
Resize = Literal["squash", "shortest_crop", "crop_other_sizes", "pad", "native"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]
TUPLE_FIELDS = ("input_size", "mean", "std")


def check_size(name: str, size: Any) -> tuple[int, int]:
    """Check that `size` is (height, width) and return it as a tuple; `name` is the argument's.

    Raises:
        ValueError: it is not a pair of integers of at least 1.

    Example:
        >>> check_size("input_size", [84, 64])
        (84, 64)
        >>> check_size("input_size", 84)
        Traceback (most recent call last):
        ...
        ValueError: `input_size` must be (height, width), two integers ... Received 84; pass (84, 84).
    """
    try:
        edges: list[Any] = [size] if isinstance(size, str) else list(size)
    except TypeError:
        edges = [size]
    if len(edges) == 2 and all(_is_integer(edge) and edge >= 1 for edge in edges):
        return int(edges[0]), int(edges[1])
    whole = len(edges) in (1, 2) and all(isinstance(e, int | float) and 1 <= e < math.inf for e in edges)
    whole = whole and all(edge == int(edge) for edge in edges)
    fix = f"; pass {(int(edges[0]), int(edges[-1]))}" if whole else ""
    raise ValueError(f"`{name}` must be (height, width), two integers of at least 1. Received {size!r}{fix}.")


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(frozen=True)
class EncoderSpec:
    """Specification of an encoder; `rlpriors.encoders.registry.ENCODERS` lists those with a short name.

    Output sizes are not part of it; a dummy forward pass determines them.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> from rlpriors.encoders.spec import EncoderSpec
        >>> EncoderSpec(name="mine", source="timm", model_id="resnet18", license="apache-2.0").input_size
        (224, 224)
    """

    name: str
    """Name of the encoder, as passed to `load_encoder`."""
    source: Source
    """Loader that builds the encoder."""
    model_id: str
    """Id of the model for its loader: an id of timm or the hub, `repository:entry` for torch.hub, the URL
    of a published file, the name of a network of this library, or the folder of a saved encoder."""
    license: str
    """License of the weights as an SPDX-like identifier; "unknown" if none is stated."""
    commercial: bool = True
    """Commercial use is allowed; if False, loading requires `allow_noncommercial=True`."""
    gated: bool = False
    """Gated weights: the publisher requires users to accept terms before the download."""
    revision: str | None = None
    """Revision of the weights on the hub: a branch, tag or commit; None for the newest."""
    input_size: tuple[int, int] = (224, 224)
    """Height and width of the network's input, in pixels."""
    channels: int = 3
    """Number of input channels: 3 (RGB), or 1 for a grayscale network."""
    resize: Resize = "squash"
    """Resize mode of frames: `squash` ignores the aspect ratio and keeps the borders; `shortest_crop`
    keeps the aspect ratio and crops the center; `crop_other_sizes` does so unless a frame has the
    input size; `pad` keeps the aspect ratio and adds black borders; `native` accepts only frames of the
    input size."""
    crop_pct: float = 1.0
    """Fraction of the shorter edge that a center crop keeps, in (0, 1]."""
    interpolation: Interpolation = "bicubic"
    """Interpolation filter of the resize."""
    antialias: bool = True
    """Antialiasing when frames are downscaled, as PIL does; pretrained networks were trained with it."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Mean subtracted from each channel in [0, 1]; ImageNet's by default."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Standard deviation that each channel is divided by after the mean is subtracted."""
    frames: int = 1
    """Number of frames of one input; above 1 the network takes clips, and a frame becomes a still clip."""
    head: bool = False
    """Projection head applied: the vector passes the network's last layer, such as CLIP's projection."""
    layout: str = ""
    """Key layout of a published file: a name of `checkpoint_files.KEY_LAYOUTS`."""
    stride: int | None = None
    """Pixels per cell of the map at which a convolutional network ends, such as 8, 16 or 32; None for
    the whole network.  Networks of timm and published files support it."""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further keyword arguments of the network, as plain data."""
    notes: str = ""
    """Notes for users, such as the paper."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EncoderSpec":
        """Create a spec from the dictionary of `dataclasses.asdict`, also after JSON, which has no tuples.

        Raises:
            ValueError: fields are missing, unknown or out of their bounds.
        """
        names = {entry.name for entry in fields(cls)}
        if not {"name", "source", "model_id", "license"} <= set(data) <= names:
            raise ValueError(f"A spec must be made of {sorted(names)}. Received {sorted(data)}.")
        lists = {name: tuple(data[name]) for name in TUPLE_FIELDS if isinstance(data.get(name), list)}
        return cls(**{**data, **lists})

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_size", check_size("input_size", self.input_size))
        check_fields(self)
        if self.channels < 1 or self.frames < 1:
            raise ValueError(
                f"`channels` and `frames` must be at least 1. Received {self.channels} and {self.frames}."
            )
        if self.stride is not None and self.stride < 1:
            raise ValueError(f"`stride` must be at least 1, or None. Received {self.stride}.")
        if self.stride is not None and (self.head or self.source not in ("timm", "published", "local")):
            raise ValueError(
                f"`stride` must be None for {self.name!r}: only networks of timm and of published files "
                f"without their projection head can end at an earlier map. Received {self.stride}."
            )
        if not 0 < self.crop_pct <= 1:
            raise ValueError(f"`crop_pct` must be in (0, 1]. Received {self.crop_pct}.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels:
                raise ValueError(
                    f"`{name}` must hold one finite number for each of the {self.channels} channels. "
                    f"Received {values}."
                )
        if min(self.std) <= 0:
            raise ValueError(f"`std` must be above 0. Received {self.std}.")
