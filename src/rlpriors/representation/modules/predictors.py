"""Parts of predictors that several methods share.

`Bilinear`      a matrix in front of one view's projection
`ActionHead`    how unlikely actions are, given a vector
`Change`        two vectors in a row, and what changed between them
`action_width`  numbers of the actions between two frames
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.clips import Batch
from rlpriors.representation.losses.likelihood import surprise_continuous, surprise_discrete
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import Encoded, Sizes

__all__ = ["ActionHead", "Bilinear", "Change", "action_width", "bilinear"]


class Bilinear(nn.Module):
    """W z for one view, as "p.<view>": its dot products with keys are the bilinear scores z W' k.

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

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """What the view's partner is compared with."""
        return {f"p.{self.view}": self.weight(encoded.z[self.view])}


def bilinear(view: str) -> Callable[[Sizes], nn.Module]:
    """Makes a `Bilinear` for this view."""
    return lambda sizes: Bilinear(view, sizes)


def action_width(sizes: Sizes) -> int:
    """Numbers of all actions between two frames of a window.

    Raises:
        ValueError: data have no actions.
    """
    if sizes.actions is None:
        raise ValueError('`sizes.actions` must be given. Received None: put "act" in the recipe\'s `needs`.')
    return sizes.stride * sizes.actions.dim


class ActionHead(nn.Module):
    """A perceptron from a vector to the actions between two frames, and how unlikely those taken are.

    Choices have a categorical distribution for each step; other actions a normal one, whose spread is
    learned but does not depend on the vector.

    Example:
        >>> from rlpriors.representation.clips import Actions
        >>> sizes = Sizes(
        ...     dim=8, maps=None, tokens=None, pixels=(3, 8, 8), horizon=2, stride=1, actions=Actions(5, True)
        ... )
        >>> index = torch.zeros(6, 1, 1, dtype=torch.long)
        >>> batch = Batch(torch.zeros(6, 2, 8, 8, 3, dtype=torch.uint8), None, index)
        >>> ActionHead(8, sizes)(torch.zeros(6, 8), batch).shape
        torch.Size([6])
    """

    def __init__(self, width: int, sizes: Sizes, hidden: int = 256) -> None:
        super().__init__()
        self.body = MLP((width, hidden, action_width(sizes)))
        self.steps = sizes.stride
        discrete = sizes.actions is not None and sizes.actions.discrete
        self.log_std = None if discrete else nn.Parameter(torch.zeros(action_width(sizes)))

    def forward(self, x: Float[Tensor, "batch width"], batch: Batch, gap: int = 0) -> Float[Tensor, " batch"]:
        """Negative log-likelihood of the actions after frame `gap` of each window."""
        predicted = self.body(x)
        if self.log_std is None:
            assert batch.act_index is not None
            return surprise_discrete(predicted.unflatten(1, (self.steps, -1)), batch.act_index[:, gap])
        assert batch.act is not None
        return surprise_continuous(predicted, self.log_std, batch.act[:, gap])


class Change(nn.Module):
    """A vector and its difference to a later one, [batch, 2 dim], each number on the scale of the batch.

    Frames in a row differ little: at their own scale a network takes hundreds of updates to notice.

    Example:
        >>> Change(4)(torch.zeros(3, 4), torch.randn(3, 4)).shape
        torch.Size([3, 8])
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.width = 2 * dim
        self.norm = nn.BatchNorm1d(2 * dim)

    def forward(
        self, now: Float[Tensor, "batch dim"], later: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch both"]:
        """Both, end to end."""
        found: Tensor = self.norm(torch.cat([now, later - now], 1))
        return found
