"""Base class of backbones: networks from prepared pixels to `Features`.

`Backbone`   base class; each loader of this library builds a subclass
"""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.types import Features

__all__ = ["Backbone"]


class Backbone(nn.Module):
    """A network from prepared pixels to `Features`.

    Example:
        >>> import torch
        >>> class Average(Backbone):
        ...     def forward(self, x):
        ...         return Features(global_=x.mean((2, 3)), tokens=None, maps=x)
        >>> Average()(torch.zeros(2, 3, 8, 8)).global_.shape
        torch.Size([2, 3])
    """

    architecture: dict[str, Any]
    """Plain data from which the loader, given the spec, builds the same network untrained."""
    can_mask = False
    """True if `forward_tokens` is supported."""

    def __init__(self, architecture: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.architecture = dict(architecture or {})

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        """Compute the features of each image or clip of the batch."""
        raise NotImplementedError(f"{type(self).__name__} must define `forward`.")

    def forward_tokens(
        self, x: Float[Tensor, "batch channels height width"], visible: Int[Tensor, "batch visible"]
    ) -> Features:
        """Compute features from the `visible` tokens of each image alone.

        `visible` holds token indices, counted row by row from the top left.  Tokens come in its order.
        There are no maps.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot leave tokens out.")
