"""From what a network saw to the vector that an agent gets.

`READOUTS`             every readout by its short name
`parse_readout`        "grid(2)" or "mean>pca(64)" to a module
`available_readouts`   those that a network can give
`Chain`                a readout and then transforms of its vector
`Readout`, `Views`     what they share, from `rlpriors.encoders.readouts.base`

What a frame shows where is worth more than any fine-tuning of a pooled vector: PEARL
(github.com/PAL-ML/PEARL_v1) probes Breakout's RAM with F1 .57 from the whole frame, .85 from crops.
"""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from math import prod
from typing import Any

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rlpriors.encoders.readouts.attention_pool import AttentionPool, Compress
from rlpriors.encoders.readouts.base import Readout, Views
from rlpriors.encoders.readouts.crops import Crops, TopCrops
from rlpriors.encoders.readouts.motion import MotionMask
from rlpriors.encoders.readouts.pooling import (
    ClassAndMean,
    ClassToken,
    Flatten,
    GeneralizedMean,
    Grid,
    Max,
    Mean,
    SpatialSoftmax,
)
from rlpriors.encoders.readouts.transforms import TRANSFORMS, Transform
from rlpriors.types import Features

__all__ = ["READOUTS", "Chain", "Readout", "Views", "available_readouts", "parse_readout"]

READOUTS: dict[str, Callable[..., Readout]] = {
    "cls": ClassToken,
    "mean": Mean,
    "max": Max,
    "gem": GeneralizedMean,  # gem(3)
    "cls+mean": ClassAndMean,
    "grid": Grid,  # grid(2)
    "flatten": Flatten,
    "spatial-softmax": SpatialSoftmax,  # spatial-softmax(1)
    "attention-pool": AttentionPool,  # attention-pool(1)
    "compress": Compress,  # compress(2048)
    "crops": Crops.from_arguments,  # crops(1,2,4), crops(1,2,grid(2))
    "topk-crops": TopCrops,  # topk-crops(4,difference), topk-crops(4,flow,mean)
    "motion-mask": MotionMask.from_arguments,  # motion-mask(difference)
}
"""A readout's name with its arguments in brackets, where it takes any, is what `parse_readout` reads."""

# For those that cannot do without arguments.
_EXAMPLES = {
    "grid": "grid(2)",
    "crops": "crops(1,2,4)",
    "topk-crops": "topk-crops(4,difference)",
    "motion-mask": "motion-mask(difference)",
}


class Chain(Readout):
    """A readout and then transforms of its vector: "mean>pca(64)".

    Behind crops the transforms act on the joined vector of the whole frame; "crops(1,2,mean>pca(64))"
    has them act on each crop.

    Example:
        >>> from rlpriors.types import Features
        >>> import torch
        >>> features = Features(torch.randn(2, 8), None, None)
        >>> parse_readout("cls>random-projection(3)").build(features)(features).shape
        torch.Size([2, 3])
    """

    label = ">"

    def __init__(self, first: Readout, *transforms: Transform) -> None:
        super().__init__()
        self.first = first
        self.transforms = transforms
        for number, transform in enumerate(transforms):
            self.add_module(f"transform{number}", transform)
        self.views_per_frame, self.needs_previous = first.views_per_frame, first.needs_previous
        self.trainable = first.trainable

    @property
    def name(self) -> str:
        return ">".join(str(part.name) for part in (self.first, *self.transforms))

    def make(self, features: Features, seed: int) -> None:
        self.first.build(features, seed)
        size = prod(self.first.output_shape(features))
        for transform in self.transforms:
            size = transform.build(size, features.global_.device)

    def lacks(self, features: Features) -> str | None:
        return self.first.lacks(features)

    def read(self, features: Features) -> Tensor:
        vectors = self.first.read(features)
        return vectors if self.views_per_frame > 1 else self._transformed(vectors)

    def views(
        self,
        frames: Shaped[Tensor, "batch height width channels"],
        previous: Shaped[Tensor, "batch height width channels"] | None = None,
    ) -> Views:
        return self.first.views(frames, previous)

    def join(
        self, vectors: Float[Tensor, "images *out"], order: Int[Tensor, "batch views"]
    ) -> Float[Tensor, "batch *joined"]:
        joined = self.first.join(vectors, order)
        return self._transformed(joined) if self.views_per_frame > 1 else joined

    def _transformed(self, vectors: Tensor) -> Tensor:
        vectors = vectors.flatten(1)
        for transform in self.transforms:
            vectors = transform(vectors)
        return vectors


def parse_readout(readout: str | Readout) -> Readout:
    """Make the readout that a name such as "grid(2)" asks for; a `Readout` is returned as it is.

    Example:
        >>> parse_readout("crops(1,2,4)").views_per_frame
        21
        >>> parse_readout("grid( 2 )").name
        'grid(2)'

    Raises:
        ValueError: no readout has this name, or it does not take these arguments.
    """
    if isinstance(readout, Readout):
        return readout
    first, *transforms = _split(readout, ">")
    parsed: Readout = _build(first, READOUTS, readout)
    if not transforms:
        return parsed
    return Chain(parsed, *(_build(part, TRANSFORMS, readout) for part in transforms))


def available_readouts(features: Features) -> list[str]:
    """Names of the readouts that a network with such `features` can give, with usual arguments."""
    names = [_EXAMPLES.get(name, name) for name in READOUTS]
    return [name for name in names if parse_readout(name).lacks(features) is None]


_NUMBERS = (int, float, int | float)


def _build(text: str, table: Mapping[str, Callable[..., Any]], whole: str) -> Any:
    name, bracket, rest = text.partition("(")
    if name not in table:
        close = get_close_matches(name, table, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"`readout` must be made of {sorted(table)}. Received {whole!r}.{hint}")
    if bracket and not rest.endswith(")"):
        raise ValueError(f"`readout` must close its brackets, as in 'grid(2)'. Received {whole!r}.")
    arguments = [_argument(part, whole) for part in _split(rest[:-1], ",")] if bracket else []
    signature = inspect.signature(table[name])
    try:
        bound = signature.bind(*arguments).arguments
        for key, value in bound.items():
            if isinstance(value, str) and signature.parameters[key].annotation in _NUMBERS:
                raise TypeError(f"`{key}` must be a number")
    except TypeError as error:
        wanted = ", ".join(str(parameter).split(":")[0] for parameter in signature.parameters.values())
        raise ValueError(f"`readout` {name!r} takes ({wanted}): {error}. Received {whole!r}.") from error
    return table[name](*arguments)


def _argument(text: str, whole: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    named = text.partition("(")[0].partition(">")[0] in READOUTS
    return parse_readout(text) if named else text


def _split(text: str, separator: str) -> list[str]:
    # Only where no bracket is open: "crops(1,2,grid(2))" has three arguments.
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
