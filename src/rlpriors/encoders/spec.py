"""Specifications of encoders, known before anything is downloaded.

`EncoderSpec`     source of the weights, preprocessing of frames, and license
`Source`          names of the loaders
`Resize`          names of the resize modes
`Interpolation`   names of the resize filters
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, Literal, get_args

__all__ = ["EncoderSpec", "Interpolation", "Resize", "Source"]

Source = Literal["timm", "huggingface", "torchhub", "published", "network", "local"]
Resize = Literal["squash", "shortest_crop", "pad", "native"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]
TUPLE_FIELDS = ("input_size", "mean", "std")


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
    keeps the aspect ratio and crops the center; `pad` keeps the aspect ratio and adds black borders;
    `native` accepts only frames of the input size."""
    crop_pct: float = 1.0
    """Fraction of the shorter edge that `shortest_crop` keeps, in (0, 1]."""
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
        values: dict[str, Any] = {
            **data,
            **{name: tuple(data[name]) for name in TUPLE_FIELDS if name in data},
        }
        return cls(**values)

    def __post_init__(self) -> None:
        for name, choices in (("source", Source), ("resize", Resize), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(
                    f"`{name}` must be one of {list(get_args(choices))}. Received {getattr(self, name)!r}."
                )
        if len(self.input_size) != 2 or min(self.input_size) < 1:
            raise ValueError(f"`input_size` must be (height, width), at least 1. Received {self.input_size}.")
        if self.channels < 1 or self.frames < 1:
            raise ValueError(
                f"`channels` and `frames` must be at least 1. Received {self.channels} and {self.frames}."
            )
        if not 0 < self.crop_pct <= 1:
            raise ValueError(f"`crop_pct` must be in (0, 1]. Received {self.crop_pct}.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != self.channels or not all(isfinite(value) for value in values):
                raise ValueError(
                    f"`{name}` must hold one finite number for each of the {self.channels} channels. "
                    f"Received {values}."
                )
        if min(self.std) <= 0:
            raise ValueError(f"`std` must be above 0. Received {self.std}.")
