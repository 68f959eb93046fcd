"""Ensembles of multi-layer perceptrons whose members are computed in one call.

`EnsembleMLP`  members with separate weights over batched matrix products
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.build_budget import MachineBudget
from rlpriors.networks.base import check_at_least
from rlpriors.settings import fit_value

__all__ = ["EnsembleMLP"]


class EnsembleMLP(nn.Module):
    """Multi-layer perceptrons of one size with separate weights, computed by batched matrix products.

    Five members on a CPU take about the time of one for small batches.  Each weight matrix is initialized as
    that of `torch.nn.Linear`, from torch's global generator.

    Args:
        n_members: number of members, at least 1.
        in_dim: number of entries of an input.
        hidden: width of each hidden layer.
        out_dim: number of entries of an output.

    Raises:
        ValueError: a size is below 1, or the layers need more than the machine's memory.

    Example:
        >>> members = EnsembleMLP(n_members=5, in_dim=3, hidden=(16,), out_dim=2)
        >>> members(torch.zeros(5, 7, 3)).shape  # rows of its own for each member
        torch.Size([5, 7, 2])
        >>> members(torch.zeros(7, 3).expand(5, 7, 3)).shape  # the same rows for all
        torch.Size([5, 7, 2])
    """

    def __init__(self, n_members: int, in_dim: int, hidden: Sequence[int], out_dim: int) -> None:
        super().__init__()
        sizes = {f"hidden[{i}]": size for i, size in enumerate(hidden)}
        given = {"n_members": n_members, "in_dim": in_dim, "out_dim": out_dim, **sizes}
        check_at_least(1, **{name: fit_value(name, size, int) for name, size in given.items()})
        self.n_members = n_members
        with MachineBudget(n_members=n_members, in_dim=in_dim, hidden=tuple(hidden), out_dim=out_dim):
            pairs = list(pairwise([in_dim, *hidden, out_dim]))
            self.weights = nn.ParameterList(nn.Parameter(_init(n_members, *pair)) for pair in pairs)
            self.biases = nn.ParameterList(nn.Parameter(_init(n_members, *pair)[:, :1]) for pair in pairs)

    def forward(self, x: Float[Tensor, "members batch inputs"]) -> Float[Tensor, "members batch outputs"]:
        """Compute the outputs of all members, each from rows of its own."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, nn.functional.silu(x) if i else x, weight)
        return x


def _init(n_members: int, fan_in: int, fan_out: int) -> Float[Tensor, "members inputs outputs"]:
    """Return uniform numbers within 1 / sqrt(fan_in), as torch initializes linear layers."""
    bound = fan_in**-0.5
    return torch.empty(n_members, fan_in, fan_out).uniform_(-bound, bound)
