"""Predictor parts that several methods share.

`Bilinear`          a matrix in front of one view's projection
`bilinear`          factory of a `Bilinear`
`ActionHead`        negative log-likelihood of actions given a vector
`LatentDifference`  a vector and its difference to a later vector
`action_chunk_dim`  dimension of all actions between two frames
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.clips import ClipBatch
from rlpriors.representation.losses.likelihood import categorical_nll, gaussian_nll
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import EncodedBatch, Sizes

__all__ = ["ActionHead", "Bilinear", "LatentDifference", "action_chunk_dim", "bilinear"]


class Bilinear(nn.Module):
    """W z for one view, as "p.<view>"; its dot products with keys k are the bilinear scores z' W' k.

    Example:
        >>> sizes = Sizes(
        ...     dim=8, maps=None, tokens=None, pixels=(3, 8, 8), horizon=1, stride=1, actions=None, latent=4
        ... )
        >>> Bilinear("context", sizes).weight.weight.shape
        torch.Size([4, 4])
    """

    def __init__(self, view: str, sizes: Sizes) -> None:
        super().__init__()
        self.view = view
        self.weight = nn.Linear(sizes.latent, sizes.latent, bias=False)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return "p.<view>"."""
        return {f"p.{self.view}": self.weight(encoded.z[self.view])}


def bilinear(view: str) -> Callable[[Sizes], nn.Module]:
    """Return a factory of a `Bilinear` for this view."""
    return lambda sizes: Bilinear(view, sizes)


def action_chunk_dim(sizes: Sizes) -> int:
    """Return the dimension of all actions between two frames of a clip, concatenated.

    Raises:
        ValueError: data have no actions.
    """
    if sizes.actions is None:
        raise ValueError('`sizes.actions` must be given. Received None: put "act" in the recipe\'s `needs`.')
    return sizes.stride * sizes.actions.dim


class ActionHead(nn.Module):
    """A perceptron from a vector to the negative log-likelihood of the actions between two frames.

    Discrete actions have a categorical distribution for each step.  Other actions have a normal
    distribution; its standard deviation is learned and does not depend on the vector.

    Example:
        >>> from rlpriors.representation.clips import Actions
        >>> sizes = Sizes(
        ...     dim=8, maps=None, tokens=None, pixels=(3, 8, 8), horizon=2, stride=1, actions=Actions(5, True)
        ... )
        >>> index = torch.zeros(6, 1, 1, dtype=torch.long)
        >>> batch = ClipBatch(torch.zeros(6, 2, 8, 8, 3, dtype=torch.uint8), None, index)
        >>> ActionHead(8, sizes)(torch.zeros(6, 8), batch).shape
        torch.Size([6])
    """

    def __init__(self, width: int, sizes: Sizes, hidden: int = 256) -> None:
        super().__init__()
        self.body = MLP((width, hidden, action_chunk_dim(sizes)))
        self.n_steps = sizes.stride
        discrete = sizes.actions is not None and sizes.actions.discrete
        self.log_std = None if discrete else nn.Parameter(torch.zeros(action_chunk_dim(sizes)))

    def forward(
        self, x: Float[Tensor, "batch width"], batch: ClipBatch, gap: int = 0
    ) -> Float[Tensor, " batch"]:
        """Return the negative log-likelihood of the actions after frame `gap` of each clip."""
        predicted = self.body(x)
        if self.log_std is None:
            assert batch.act_index is not None
            return categorical_nll(predicted.unflatten(1, (self.n_steps, -1)), batch.act_index[:, gap])
        assert batch.act is not None
        return gaussian_nll(predicted, self.log_std, batch.act[:, gap])


class LatentDifference(nn.Module):
    """A vector and its difference to a later one, [batch, 2 dim], each entry normalized over the batch.

    Consecutive frames differ little.  Without normalization a network needs hundreds of updates to use the
    difference.

    Example:
        >>> LatentDifference(4)(torch.zeros(3, 4), torch.randn(3, 4)).shape
        torch.Size([3, 8])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.width = 2 * dim
        self.norm = nn.BatchNorm1d(2 * dim)

    def forward(
        self, now: Float[Tensor, "batch dim"], later: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch both"]:
        """Return the vector and the difference, concatenated."""
        normalized: Tensor = self.norm(torch.cat([now, later - now], 1))
        return normalized
