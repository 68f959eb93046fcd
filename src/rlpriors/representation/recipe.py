"""Dataclasses that describe a method of representation learning.

`Recipe`        views, target network, projector, predictor, memory and losses of a method
`LossTerm`      one weighted loss and the names of its inputs
`Sizes`         dimensions of encoder and data, from which modules are built
`EncodedBatch`  views of a batch with their features, the input of predictors
`Memory`        base class of buffers that outlive a batch: queues, banks, centers

The decomposition is EIRLI's (arXiv 2205.07886): pairs, augmentation, encoder, decoder, batch extender
and loss.  It is extended by clips instead of pairs, any number of views, target networks and sums of
losses.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from rlpriors.representation.clips import Actions, ClipBatch
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["EncodedBatch", "LossTerm", "Memory", "Recipe", "Sizes"]


@dataclass(frozen=True)
class Sizes:
    """Dimensions from which the modules of a recipe are built."""

    dim: int
    """Dimension of the encoder's vector."""
    maps: tuple[int, int, int] | None
    """Channels, rows and columns of the encoder's maps; None without maps."""
    tokens: tuple[int, int] | None
    """Number and width of the encoder's tokens; None without tokens."""
    pixels: tuple[int, int, int]
    """Channels, rows and columns of the encoder's input."""
    horizon: int
    """Number of frames in a clip."""
    stride: int
    """Number of environment steps between two frames of a clip."""
    actions: Actions | None
    """Kind and dimension of actions; None where data have none."""
    latent: int = 0
    """Dimension of the projector's output; 0 until the projector is built."""
    updates: int = 1
    """Number of updates of the whole training."""


class EncodedBatch(NamedTuple):
    """Views of a batch with their features and projections, by the names of views.

    Tensors are [batch, ...] for views of one image and [batch, time, ...] for others.
    """

    batch: ClipBatch
    pixels: Mapping[str, Tensor]
    """Views in pixels, in [0, 1]."""
    features: Mapping[str, Features]
    """Features of the online encoder."""
    z: Mapping[str, Tensor]
    """Projections of the online network."""
    target_features: Mapping[str, Features]
    """Features of the target encoder."""
    y: Mapping[str, Tensor]
    """Projections of the target network."""
    extra: Mapping[str, Tensor]
    """Random choices of tiles and masks, as "<view>.<name>"."""
    project: Callable[[Features], Tensor]
    """The online projector, for features that a predictor computes."""


class Memory(nn.Module):
    """Base class of buffers that outlive a batch.

    Buffers are saved with the model and follow it to its device.

    Example:
        >>> import torch
        >>> class LastVector(Memory):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("last", torch.zeros(2))
        ...     def forward(self, outputs):
        ...         return {"last": self.last}
        ...     def after_step(self, outputs):
        ...         self.last.copy_(outputs["z.context"][0])
        >>> memory = LastVector()
        >>> memory.after_step({"z.context": torch.ones(4, 2)})
        >>> memory({})["last"]
        tensor([1., 1.])
    """

    @abstractmethod
    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return further outputs for the losses."""

    @abstractmethod
    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Store the outputs of this batch, which are detached."""


@dataclass(frozen=True)
class LossTerm:
    """One weighted loss of a recipe.

    Example:
        >>> from torch.nn import functional
        >>> LossTerm(functional.mse_loss, ("prediction", "y.target"), weight=0.5).weight
        0.5
    """

    loss: Callable[..., Tensor]
    """Function from tensors to one number."""
    inputs: tuple[str, ...]
    """Names of the function's inputs: "z.<view>" online projections, "y.<view>" target projections,
    "pixels.<view>", "act" and "act_index" of the batch, "<view>.<name>" random choices of a view, and the
    outputs of predictor and memory."""
    weight: float = 1.0
    """Factor of the loss in the sum."""


@dataclass(frozen=True)
class Recipe:
    """A method of representation learning, without encoder, data and length of training.

    Raises:
        ValueError: `losses` is empty, or `min_batch_size` is out of its bounds.
    """

    name: str
    """Name of the method in `RECIPES`."""
    source: str
    """Paper of the method."""
    views: tuple[View, ...]
    """Views of a clip that the method encodes or compares."""
    projector: Callable[[Sizes], nn.Module]
    """Factory of a module from `Features` of images [n, ...] to vectors [n, latent]; the target network
    has a copy."""
    losses: Mapping[str, LossTerm]
    """Loss terms by name; training minimizes their weighted sum."""
    predictor: Callable[[Sizes], nn.Module] | None = None
    """Factory of a module from `EncodedBatch` to named outputs; the target network has no copy."""
    memory: Callable[[Sizes], Memory] | None = None
    """Factory of a `Memory`."""
    visualize: Callable[[EncodedBatch, Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None
    """Function from a batch and its outputs to images [batch, channels, rows, columns] in [0, 1] by name,
    such as reconstructions."""
    target: TargetNetworkSettings = field(default_factory=TargetNetworkSettings)
    """Settings of the target network."""
    horizon: int = 1
    """Number of frames in a clip."""
    stride: int = 1
    """Number of environment steps between two frames of a clip."""
    needs: tuple[str, ...] = ()
    """Requirements on data and encoder, out of "act", "maps", "tokens" and "masks"."""
    batch_size: int = 64
    """Default number of clips in an update."""
    min_batch_size: int = 2
    """Smallest number of clips in an update: 2 where the rows of a batch are each other's negatives or
    share batch statistics."""
    lr: float = 3e-4
    """Default learning rate of AdamW."""
    weight_decay: float = 1e-4
    """Default weight decay, for weights of two or more axes."""

    def __post_init__(self) -> None:
        if not self.losses:
            raise ValueError(f"`losses` of recipe {self.name!r} must have at least one term. Received none.")
        if not 1 <= self.min_batch_size <= self.batch_size:
            raise ValueError(
                f"`min_batch_size` of recipe {self.name!r} must be at least 1, and at most its `batch_size`, "
                f"{self.batch_size}. Received {self.min_batch_size}."
            )
