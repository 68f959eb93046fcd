"""What a readout is: it says which images a network shall see, and what an agent gets of them.

`Readout`  turns `Features` into one vector for each frame
`Views`    the images to encode for a batch of frames, more than one each where frames are cut up
"""

from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from rlpriors.types import Features

__all__ = ["Readout", "Views"]


class Views(NamedTuple):
    """The images that a readout wants encoded for a batch of frames.

    Concatenate what the network gives for `parts`, in their order; a row of `order` then says which
    of these vectors belong to one frame.
    """

    parts: tuple[Shaped[Tensor, "images height width channels"], ...]
    """Images by size: one tensor for each, so that one resize (or one forward) serves a whole part."""
    order: Int[Tensor, "batch views"]
    """For each frame the rows of the concatenated parts that make up its vector."""
    positions: Int[Tensor, " images"]
    """For each image which view of its frame it is: crops are numbered grid by grid, row by row."""


class Readout(nn.Module):
    """Turns `Features` into one vector (or array) for each frame.

    A subclass says in `reads` which part of the features it needs, and gives them by `read`.  One with
    weights sets `trainable` and makes them in `make`, when `build` has shown it an example.

    A readout that cuts frames up (`views_per_frame` above 1) also writes `views` and `join`; for all
    others a frame is its only view, so that one piece of code serves both kinds:

        views = readout.views(frames, previous)
        vectors = readout(network(torch.cat([preprocess(part) for part in views.parts])))
        encoded = readout.join(vectors, views.order)

    Example:
        >>> class Spread(Readout):
        ...     label, reads = "spread", "tokens"
        ...     def read(self, features):
        ...         return features.tokens.std(1)
        >>> Spread()(Features(torch.zeros(2, 8), torch.zeros(2, 4, 8), None)).shape
        torch.Size([2, 8])
    """

    label: ClassVar[str]
    """Its name in `READOUTS`."""
    reads: ClassVar[str] = "global_"
    """What it needs of `Features`: "global_", "tokens" or "maps"; either of the last two serves for
    tokens, since a map holds them."""
    trainable: bool = False
    """Whether it has weights of its own to learn."""
    views_per_frame: int = 1
    """Images that the network encodes for one frame."""
    needs_previous: bool = False
    """Whether `views` looks at the frame before."""

    def arguments(self) -> tuple[Any, ...]:
        """What stands in the brackets of its name; nothing where all is as usual."""
        return ()

    @property
    def name(self) -> str:
        """What `parse_readout` makes the same readout from."""
        arguments = ",".join(_written(argument) for argument in self.arguments())
        return f"{self.label}({arguments})" if arguments else self.label

    def read(self, features: Features) -> Tensor:
        """The vectors; `features` hold what `reads` asks for."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it reads: write `read`.")

    def make(self, features: Features, seed: int) -> None:
        """Make weights that fit the features; nothing to do for most."""

    def forward(self, features: Features) -> Float[Tensor, "batch *out"]:
        """One vector for each row of `features`.

        Raises:
            ValueError: the network gives no tokens or maps, too small ones, or others than those
                that `build` saw.
        """
        self.check(features)
        return self.read(features)

    def build(self, features: Features, seed: int = 0) -> "Readout":
        """Fit the sizes of its weights to an example, and return itself; `seed` draws the weights.

        Readouts without weights only check that the network can give what they read.
        """
        self.check(features)
        self.make(features, seed)
        return self

    def lacks(self, features: Features) -> str | None:
        """What these features miss for this readout, as the end of a sentence; None if nothing."""
        present = features.maps is not None or (self.reads == "tokens" and features.tokens is not None)
        if self.reads == "global_" or present:
            return None
        return f"needs {self.reads}, which this encoder does not give"

    def check(self, features: Features) -> None:
        """Refuse features that lack what this readout reads."""
        reason = self.lacks(features)
        if reason is not None:
            raise ValueError(
                f"`readout` {self.name!r} {reason}. `available_readouts` lists the readouts of an encoder."
            )

    def output_shape(self, features: Features) -> tuple[int, ...]:
        """Shape of one frame's encoding, found by reading the first row of `features`."""
        with torch.no_grad():
            tokens, maps = (None if part is None else part[:1] for part in features[1:])
            vectors = self(Features(features.global_[:1], tokens, maps))
            order = torch.zeros(1, self.views_per_frame, dtype=torch.long, device=vectors.device)
            return tuple(self.join(vectors, order).shape[1:])

    def views(
        self,
        frames: Shaped[Tensor, "batch height width channels"],
        previous: Shaped[Tensor, "batch height width channels"] | None = None,
    ) -> Views:
        """The images to encode for `frames`; `previous` are the frames before them.

        Without `previous`, and at the start of an episode, a frame is its own predecessor.
        """
        rows = torch.arange(len(frames), device=frames.device)
        return Views((frames,), rows[:, None], torch.zeros_like(rows))

    def join(
        self, vectors: Float[Tensor, "images *out"], order: Int[Tensor, "batch views"]
    ) -> Float[Tensor, "batch *joined"]:
        """One vector for each frame from those of its views."""
        return vectors[order[:, 0].to(vectors.device)]

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"name={self.name!r}"


def _written(argument: Any) -> str:
    if isinstance(argument, Readout):
        return argument.name
    whole = isinstance(argument, float) and argument.is_integer()
    return str(int(argument) if whole else argument)
