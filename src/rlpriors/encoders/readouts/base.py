"""Base class of readouts: select image views and pool the features into a vector.

`Readout`      module from `Features` to one vector per frame
`ImageViews`   images to encode for a batch of frames
`Frames`       type of a batch of frames
"""

from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from rlpriors.types import Features

__all__ = ["Frames", "ImageViews", "Readout"]

Frames = Shaped[Tensor, "batch height width channels"]


class ImageViews(NamedTuple):
    """Images that a readout has encoded for a batch of frames, one or more per frame.

    Concatenate the vectors of `batches` in their order.  A row of `indices` then selects the vectors
    of one frame.
    """

    batches: tuple[Shaped[Tensor, "images height width channels"], ...]
    """Images grouped by size, so that one resize (or one forward pass) serves a whole batch."""
    indices: Int[Tensor, "batch views"]
    """Rows of the concatenated batches that belong to each frame."""
    positions: Int[Tensor, " images"]
    """View number of each image within its frame; crops are numbered grid by grid, row by row."""


class Readout(nn.Module):
    """Base class of readouts: pool `Features` into one vector (or array) per frame.

    A subclass names the features that it needs in `required_feature` and pools them in `pool`.  A
    subclass with weights sets `trainable` and creates them in `build_weights`, which `build` calls
    with example features.

    A readout that encodes several images per frame (`views_per_frame` above 1) also overrides
    `make_views` and `combine_views`.  By default a frame is its only view, so one piece of code
    serves both kinds:

        views = readout.make_views(frames, previous)
        vectors = readout(network(torch.cat([preprocess(batch) for batch in views.batches])))
        encoded = readout.combine_views(vectors, views.indices)

    Example:
        >>> class Spread(Readout):
        ...     label, required_feature = "spread", "tokens"
        ...     def pool(self, features):
        ...         return features.tokens.std(1)
        >>> Spread()(Features(torch.zeros(2, 8), torch.zeros(2, 4, 8), None)).shape
        torch.Size([2, 8])
    """

    label: ClassVar[str]
    """Name of the readout in `READOUTS`."""
    required_feature: ClassVar[str] = "global_"
    """Field of `Features` that the readout pools: "global_", "tokens" or "maps".  Tokens may also be
    taken from maps."""
    trainable: bool = False
    """True for a readout with weights to train."""
    views_per_frame: int = 1
    """Number of images encoded per frame."""
    needs_previous: bool = False
    """True if `make_views` needs the previous frames."""

    def arguments(self) -> tuple[Any, ...]:
        """Return the arguments in the brackets of `name`, without those at their defaults."""
        return ()

    @property
    def name(self) -> str:
        """Readout specification; `parse_readout` makes an equal readout from it."""
        arguments = ",".join(_format_argument(argument) for argument in self.arguments())
        return f"{self.label}({arguments})" if arguments else self.label

    def pool(self, features: Features) -> Tensor:
        """Pool features that hold `required_feature` into vectors."""
        raise NotImplementedError(f"{type(self).__name__} must define `pool`.")

    def build_weights(self, features: Features, seed: int) -> None:
        """Create weights whose sizes fit `features`; readouts without weights do nothing."""

    def forward(self, features: Features) -> Float[Tensor, "batch *out"]:
        """Return one vector per row of `features`.

        Raises:
            ValueError: `features` lack tokens or maps, or have other sizes than `build` received.
        """
        self.check(features)
        return self.pool(features)

    def build(self, features: Features, seed: int = 0) -> "Readout":
        """Create weights that fit example `features`, drawn from `seed`, and return the readout itself.

        Readouts without weights only check that the features suffice.
        """
        self.check(features)
        self.build_weights(features, seed)
        return self

    def missing_features(self, features: Features) -> str | None:
        """Return the reason why `features` do not suffice, as the end of a sentence; None if they do."""
        present = features.maps is not None or (
            self.required_feature == "tokens" and features.tokens is not None
        )
        if self.required_feature == "global_" or present:
            return None
        return f"needs {self.required_feature}, which this encoder does not give"

    def check(self, features: Features) -> None:
        """Raise a ValueError if `features` lack what this readout pools."""
        reason = self.missing_features(features)
        if reason is not None:
            raise ValueError(
                f"`readout` {self.name!r} {reason}. `available_readouts` lists the readouts of an encoder."
            )

    def output_shape(self, features: Features) -> tuple[int, ...]:
        """Return the shape of one frame's encoding, computed from the first row of `features`."""
        with torch.no_grad():
            tokens, maps = (None if part is None else part[:1] for part in features[1:])
            vectors = self(Features(features.global_[:1], tokens, maps))
            indices = torch.zeros(1, self.views_per_frame, dtype=torch.long, device=vectors.device)
            return tuple(self.combine_views(vectors, indices).shape[1:])

    def make_views(
        self,
        frames: Frames,
        previous: Frames | None = None,
    ) -> ImageViews:
        """Return the images to encode for `frames`, given the frames one step earlier.

        Without `previous`, and at the start of an episode, a frame is its own predecessor.
        """
        rows = torch.arange(len(frames), device=frames.device)
        return ImageViews((frames,), rows[:, None], torch.zeros_like(rows))

    def combine_views(
        self, vectors: Float[Tensor, "images *out"], indices: Int[Tensor, "batch views"]
    ) -> Float[Tensor, "batch *joined"]:
        """Combine the vectors of each frame's views into one vector per frame."""
        return vectors[indices[:, 0].to(vectors.device)]

    def extra_repr(self) -> str:
        """Return the specification, for `print`."""
        return f"name={self.name!r}"


def _format_argument(argument: Any) -> str:
    if isinstance(argument, Readout):
        return argument.name
    integral = isinstance(argument, float) and argument.is_integer()
    return str(int(argument) if integral else argument)
