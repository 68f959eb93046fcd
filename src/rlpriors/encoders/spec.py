"""What is known about an encoder before anything is downloaded.

`EncoderSpec`      where its weights come from, how frames are prepared, what the license allows
`Source`           the ways in which an encoder can be built
`Resize`           the ways in which a frame is brought to the input size
`Interpolation`    the filters that a frame is resized with
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any, Literal, get_args

__all__ = ["EncoderSpec", "Interpolation", "Resize", "Source"]

Source = Literal["timm", "huggingface", "torchhub", "published", "network", "local"]
Resize = Literal["squash", "shortest_crop", "pad", "native"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]
TUPLES = ("input_size", "mean", "std")


@dataclass(frozen=True)
class EncoderSpec:
    """An encoder's card; `rlpriors.encoders.registry.ENCODERS` holds those that have a short name.

    Sizes of what comes out stand nowhere in it: they are read off a dummy forward pass.

    Raises:
        ValueError: a field is out of its bounds.

    Example:
        >>> from rlpriors.encoders.spec import EncoderSpec
        >>> EncoderSpec(name="mine", source="timm", model_id="resnet18", license="apache-2.0").input_size
        (224, 224)
    """

    name: str
    """What users call it."""
    source: Source
    """Which of this library's loaders builds it."""
    model_id: str
    """timm's or the hub's id, `repository:entry` for torch.hub, the address of a published file, the name
    of a network of this library, or the folder of a saved encoder."""
    license: str
    """The license of the weights in its usual short form; "unknown" where none is stated."""
    commercial: bool = True
    """False: the license forbids commercial use, and loading asks for `allow_noncommercial=True`."""
    gated: bool = False
    """True: the publisher gives the weights only to those who accept terms first."""
    revision: str | None = None
    """The version of the weights on the hub: a branch, tag or commit; None for the newest."""
    input_size: tuple[int, int] = (224, 224)
    """Height and width that the network sees, in pixels."""
    channels: int = 3
    """Colors of a frame: 3 (RGB), or 1 for a network that sees gray."""
    resize: Resize = "squash"
    """How frames get to the input size: `squash` ignores their proportions and loses nothing at the
    borders; `shortest_crop` keeps the proportions and cuts the center out; `pad` keeps them and adds
    black borders; `native` takes only frames that have the size already."""
    crop_pct: float = 1.0
    """The part of the shorter edge that `shortest_crop` keeps, in (0, 1]."""
    interpolation: Interpolation = "bicubic"
    """The filter of the resize."""
    antialias: bool = True
    """Smooth while shrinking, as PIL does; what the pretrained networks were trained with."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Subtracted from each channel in [0, 1]; ImageNet's unless the network says otherwise."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Each channel is then divided by this."""
    frames: int = 1
    """Frames in one input: above 1 the network sees clips, and a single frame becomes a still clip."""
    head: bool = False
    """True: the vector passes the network's own last layer, such as CLIP's projection."""
    layout: str = ""
    """How the keys of a published file are named; one of `published.LAYOUTS`."""
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Further arguments of the network that the loader builds; plain data only."""
    notes: str = ""
    """The paper, and what a user should know."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EncoderSpec":
        """Read back what `dataclasses.asdict` and JSON, which has no tuples, made of a spec.

        Raises:
            ValueError: fields are missing, unknown or out of their bounds.
        """
        names = {entry.name for entry in fields(cls)}
        if not {"name", "source", "model_id", "license"} <= set(data) <= names:
            raise ValueError(f"A spec must be made of {sorted(names)}. Received {sorted(data)}.")
        values: dict[str, Any] = {**data, **{name: tuple(data[name]) for name in TUPLES if name in data}}
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
