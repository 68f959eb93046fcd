"""Networks and vectors of zero-shot agents.

`build_encoder`    perceptron whose first layer is normalized
`to_sphere`        vectors of length sqrt(dim)
`orthogonality`    regularization of features toward an identity second moment
`SuccessorTwins`   two networks of successor features
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.networks.mlp import build_mlp

__all__ = ["SuccessorTwins", "build_encoder", "orthogonality", "to_sphere"]


def build_encoder(in_dim: int, hidden: Sequence[int], out_dim: int) -> nn.Sequential:
    """Build a perceptron with ReLU, whose first layer has layer normalization and tanh.

    The first layer bounds the inputs of the others, so that products of networks stay finite.
    """
    first, *rest = hidden or (64,)
    return nn.Sequential(
        nn.Linear(in_dim, first), nn.LayerNorm(first), nn.Tanh(), build_mlp(first, rest, out_dim, nn.ReLU)
    )


def to_sphere(x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Scale vectors to the length sqrt(dim); a zero vector stays zero.

    Example:
        >>> to_sphere(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.8485, 1.1314],
                [0.0000, 0.0000]])
    """
    return math.sqrt(x.shape[-1]) * nn.functional.normalize(x, dim=-1, eps=1e-8)


def orthogonality(features: Float[Tensor, "batch dim"]) -> Float[Tensor, ""]:
    """Compute half the mean squared product of different rows minus the mean square of a row.

    Its minimum over features has the second moment E[f f^T] = identity (arXiv 2209.14935, appendix B).

    Example:
        >>> orthogonality(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))  # 0.5 * 1**2 - (1 + 2) / 2
        tensor(-1.)
    """
    products = features @ features.T
    squares = products.diagonal()
    n = len(features)
    off = (products.square().sum() - squares.square().sum()) / max(1, n * (n - 1))
    return 0.5 * off - squares.mean()


class SuccessorTwins(nn.Module):
    """Two networks T(s, z, a) of successor features, trained on the same targets.

    Args:
        state_dim: number of entries of a state.
        skill_dim: number of entries of a skill z.
        act_dim: number of entries of an action.
        out_dim: number of features.
        hidden: width of each hidden layer.

    Example:
        >>> twins = SuccessorTwins(3, 4, 2, 4, hidden=(8,))
        >>> inputs = torch.ones(5, 3), torch.ones(5, 4), torch.ones(5, 2)
        >>> twins(*inputs).shape, twins.lower(*inputs).shape
        (torch.Size([2, 5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self, state_dim: int, skill_dim: int, act_dim: int, out_dim: int, hidden: Sequence[int]
    ) -> None:
        super().__init__()
        sizes = state_dim + skill_dim + act_dim
        self.nets = nn.ModuleList(build_encoder(sizes, hidden, out_dim) for _ in range(2))

    def forward(
        self,
        state: Float[Tensor, "*batch state"],
        skill: Float[Tensor, "*batch skill"],
        act: Float[Tensor, "*batch act"],
    ) -> Float[Tensor, "2 *batch out"]:
        """Return the successor features of both networks."""
        x = torch.cat([state, skill, act], dim=-1)
        return torch.stack([net(x) for net in self.nets])

    def lower(
        self,
        state: Float[Tensor, "*batch state"],
        skill: Float[Tensor, "*batch skill"],
        act: Float[Tensor, "*batch act"],
    ) -> Float[Tensor, "*batch out"]:
        """Return, row by row, the successor features with the lower value for the skill."""
        first, second = self(state, skill, act)
        values = [(out * skill).sum(-1, keepdim=True) for out in (first, second)]
        return torch.where(values[0] < values[1], first, second)
