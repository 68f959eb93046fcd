"""A method of representation learning, as data.

`Recipe`      views, target branch, projector, predictor, memory and losses
`Term`        one named loss, and what it is computed from
`Sizes`       what parts are built from: what the encoder gives, and what data hold
`Encoded`     what a predictor is shown
`Memory`      what outlasts a batch: queues, pools, prototypes

The decomposition is EIRLI's (arXiv 2205.07886): pairs, augmentation, encoder, decoder, batch extender
and loss; with windows for pairs, any number of views, a target branch, and sums of losses.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from rlpriors.representation.clips import Actions, Batch
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["Encoded", "Memory", "Recipe", "Sizes", "Term"]


@dataclass(frozen=True)
class Sizes:
    """What the parts of a recipe are built from."""

    dim: int
    """Numbers in the encoder's vector."""
    maps: tuple[int, int, int] | None
    """Channels, rows and columns of its maps."""
    tokens: tuple[int, int] | None
    """Number and width of its tokens."""
    pixels: tuple[int, int, int]
    """Channels, rows and columns of its input."""
    horizon: int
    """Frames of a window."""
    stride: int
    """Steps between them."""
    actions: Actions | None
    """What an action is, where data have any."""
    latent: int = 0
    """Numbers that the projector gives; 0 until it is built."""
    updates: int = 1
    """Updates of the whole training."""


class Encoded(NamedTuple):
    """A batch as a predictor sees it, by the names of views.

    Tensors are [batch, ...] for views of one image and [batch, time, ...] for others.
    """

    batch: Batch
    pixels: Mapping[str, Tensor]
    """Views in [0, 1]."""
    features: Mapping[str, Features]
    """What the online encoder makes of them."""
    z: Mapping[str, Tensor]
    """What the projector makes of that."""
    target_features: Mapping[str, Features]
    """What the target branch's encoder makes of views."""
    y: Mapping[str, Tensor]
    """And its projector."""
    extra: Mapping[str, Tensor]
    """What views have chosen, as "<view>.<name>"."""
    project: Callable[[Features], Tensor]
    """The online projector, for features that a predictor makes up."""


class Memory(nn.Module):
    """What outlasts a batch, in buffers, so that it is saved and moved with everything else.

    Example:
        >>> import torch
        >>> class Last(Memory):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("seen", torch.zeros(2))
        ...     def forward(self, outputs):
        ...         return {"before": self.seen}
        ...     def after_step(self, outputs):
        ...         self.seen.copy_(outputs["z.context"][0])
        >>> memory = Last()
        >>> memory.after_step({"z.context": torch.ones(4, 2)})
        >>> memory({})["before"]
        tensor([1., 1.])
    """

    @abstractmethod
    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Further outputs, for the losses."""

    @abstractmethod
    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Take what this batch gave; outputs have no gradient any more."""


@dataclass(frozen=True)
class Term:
    """One loss of the sum.

    Example:
        >>> from torch.nn import functional
        >>> Term(functional.mse_loss, ("prediction", "y.target"), weight=0.5).weight
        0.5
    """

    loss: Callable[..., Tensor]
    """Of tensors, gives one number."""
    inputs: tuple[str, ...]
    """Names of outputs: "z.<view>" projections, "y.<view>" those of the target branch, "pixels.<view>",
    "act" and "act_index" of the batch, "<view>.<name>" what a view chose, and what predictor and memory
    give."""
    weight: float = 1.0
    """Factor in the sum."""


@dataclass(frozen=True)
class Recipe:
    """A method: everything but encoder, data and how long.

    Raises:
        ValueError: there is no loss, or `min_batch_size` is out of its bounds.
    """

    name: str
    """What users call it."""
    source: str
    """Its paper."""
    views: tuple[View, ...]
    """What it looks at."""
    projector: Callable[[Sizes], nn.Module]
    """Makes a module from `Features` of images [n, ...] to vectors [n, latent], which the target branch
    has too."""
    losses: Mapping[str, Term]
    """Their weighted sum is learned."""
    predictor: Callable[[Sizes], nn.Module] | None = None
    """Makes a module from `Encoded` to named outputs, which the target branch does not have."""
    memory: Callable[[Sizes], Memory] | None = None
    """Makes what outlasts a batch."""
    pictures: Callable[[Encoded, Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    """Of a batch and its outputs, pictures [batch, channels, rows, columns] in [0, 1] by name, such as
    reconstructions."""
    branch: Branch = field(default_factory=Branch)
    """Where targets come from."""
    horizon: int = 1
    """Frames of a window."""
    stride: int = 1
    """Steps between them."""
    needs: tuple[str, ...] = ()
    """Out of "act", "maps", "tokens" and "masks": what data and encoder must give."""
    batch_size: int = 64
    """Windows in an update, unless the user says otherwise."""
    min_batch_size: int = 2
    """Fewest windows in an update: 2 where the rows of a batch are each other's negatives or normalize
    each other."""
    lr: float = 3e-4
    """Learning rate of AdamW, unless the user says otherwise."""
    weight_decay: float = 1e-4
    """Of weights of two or more axes."""

    def __post_init__(self) -> None:
        if not self.losses:
            raise ValueError(f"`losses` of recipe {self.name!r} must have at least one term.")
        if not 1 <= self.min_batch_size <= self.batch_size:
            raise ValueError(
                f"`min_batch_size` of recipe {self.name!r} must be at least 1, and at most its `batch_size`, "
                f"{self.batch_size}. Received {self.min_batch_size}."
            )
