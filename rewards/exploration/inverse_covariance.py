"""Inverse of a regularized sum of outer products.

`InverseCovariance`  inverse of lambda0 I + sum of phi phi^T, updated by batches of rows
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from rlpriors.build_budget import MachineBudget
from rlpriors.networks.base import check_at_least
from rlpriors.rewards.validation import check_positive

__all__ = ["InverseCovariance"]


class InverseCovariance(nn.Module):
    """Inverse of the matrix lambda0 I + sum of phi phi^T over all added rows phi, in double precision.

    A batch of k rows is added by the Woodbury identity, at the cost of k^2 dim + k dim^2 operations; one row
    is the formula of Sherman and Morrison.  The matrix itself is never inverted.

    Example:
        >>> matrix = InverseCovariance(2, lambda0=1.0)
        >>> matrix.add(torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
        >>> matrix.inverse
        tensor([[0.2500, 0.0000],
                [0.0000, 1.0000]], dtype=torch.float64)
        >>> matrix.quadratic(torch.eye(2))
        tensor([0.2500, 1.0000], dtype=torch.float64)

    Raises:
        ValueError: `dim` is below 1, `lambda0` is not above 0, or the matrix exceeds the machine's memory.
    """

    inverse: Float64[Tensor, "dim dim"]
    n_rows: Tensor

    def __init__(self, dim: int, lambda0: float = 1.0) -> None:
        super().__init__()
        check_at_least(1, dim=dim)
        check_positive(lambda0=lambda0)
        self.lambda0 = float(lambda0)
        with MachineBudget(dim=dim):
            self.register_buffer("inverse", torch.eye(dim, dtype=torch.float64) / lambda0)
        self.register_buffer("n_rows", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def add(self, phi: Float[Tensor, "rows dim"]) -> None:
        """Add rows to the sum.

        Raises:
            ValueError: a row is not finite.
        """
        rows = phi.to(self.inverse)
        if not rows.isfinite().all():
            raise ValueError("`phi` must be finite. Received NaN or infinity; check the feature network.")
        dim = len(self.inverse)
        for part in rows.split(dim):  # at most `dim` rows: the small system is never the larger one
            projected = part @ self.inverse
            system = torch.eye(len(part)).to(self.inverse) + projected @ part.T
            self.inverse -= projected.T @ torch.linalg.solve(system, projected)
        self.inverse.copy_((self.inverse + self.inverse.T) / 2)  # rounding makes it unsymmetric
        self.n_rows += len(rows)

    @torch.no_grad()
    def reset(self) -> None:
        """Remove all rows."""
        self.inverse.copy_(torch.eye(len(self.inverse)).to(self.inverse) / self.lambda0)
        self.n_rows.zero_()

    def quadratic(self, phi: Float[Tensor, "*batch dim"]) -> Float64[Tensor, "*batch"]:
        """Return phi^T inverse phi of each row, at least 0."""
        rows = phi.to(self.inverse)
        return ((rows @ self.inverse) * rows).sum(-1).clamp(min=0)
