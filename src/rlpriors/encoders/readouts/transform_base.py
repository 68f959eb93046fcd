"""Base class of transforms of an encoded vector.

`Transform`   base class of affine transforms whose parameters are buffers
`as_rows`     check of vectors that a transform is fitted to
`is_fitted`   test that all transforms of a module are fitted
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Transform", "as_rows", "is_fitted"]


class Transform(nn.Module):
    """Base class of affine transforms `(x - mean) @ matrix`, whose parameters are buffers.

    A subclass defines `name` and `out_size` and fills the buffers.  `build` creates the buffers for
    vectors of a given size, so that saved ones can be loaded.

    Example:
        >>> class Half(Transform):
        ...     name = "half"
        ...     def out_size(self, in_size):
        ...         return in_size
        ...     def fill_buffers(self):
        ...         self.matrix.copy_(0.5 * torch.eye(len(self.matrix)))
        ...         self.fitted.fill_(True)
        >>> half = Half()
        >>> half.build(2)
        2
        >>> half(torch.ones(1, 2))
        tensor([[0.5000, 0.5000]])
    """

    mean: Tensor | None
    matrix: Tensor | None
    fitted: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", None)
        self.register_buffer("matrix", None)
        self.register_buffer("fitted", torch.tensor(False))
        self._ready = False

    @property
    def name(self) -> str:
        """Transform specification; `parse_readout` makes an equal transform from it."""
        raise NotImplementedError(f"{type(self).__name__} must define `name`.")

    def out_size(self, in_size: int) -> int:
        """Return the size of a transformed vector."""
        raise NotImplementedError(f"{type(self).__name__} must define `out_size`.")

    def fill_buffers(self) -> None:
        """Fill the buffers of a transform that needs no data."""

    def build(self, in_size: int, device: torch.device | str = "cpu") -> int:
        """Create the buffers for vectors of size `in_size` and return the size of the result.

        Raises:
            ValueError: the transform was built for another size, or `in_size` is too small.
        """
        out_size = self.out_size(in_size)
        if self.matrix is None:
            self.mean = torch.zeros(in_size, device=device)
            self.matrix = torch.zeros(in_size, out_size, device=device)
            self.fitted = self.fitted.to(device)
            self.fill_buffers()
        elif len(self.matrix) != in_size:
            raise ValueError(
                f"Transform {self.name!r} was built for vectors of size {len(self.matrix)}. "
                f"Received {in_size}; build another for this readout."
            )
        return out_size

    def forward(self, x: Float[Tensor, "batch in_size"]) -> Float[Tensor, "batch out_size"]:
        """Transform each row.

        Raises:
            ValueError: the transform is not fitted, or was fitted to vectors of another size.
        """
        # Reading the flag synchronizes with the device, so it is read only until it is true.
        self._ready = self._ready or bool(self.fitted)
        if self.mean is None or self.matrix is None or not self._ready:
            raise ValueError(f"Transform {self.name!r} is not fitted yet: call `fit(vectors)` first.")
        self.build(x.shape[1])
        return self.apply_matrix(x.to(self.mean.dtype) - self.mean).to(x.dtype)

    def apply_matrix(self, centered: Float[Tensor, "batch in_size"]) -> Float[Tensor, "batch out_size"]:
        """Return the product of centered vectors and the matrix."""
        assert self.matrix is not None  # `forward` has checked it
        return centered @ self.matrix

    def extra_repr(self) -> str:
        """Return the specification, for `print`."""
        return f"name={self.name!r}"


def as_rows(vectors: np.ndarray | Tensor, min_rows: int) -> tuple[Tensor, torch.device]:
    """Return vectors to fit to in float64, and their device.

    Raises:
        ValueError: they are not finite, not [n, size], or fewer than `min_rows`.
    """
    rows = torch.as_tensor(vectors).detach()
    if rows.ndim != 2 or rows.shape[1] == 0 or len(rows) < min_rows:
        raise ValueError(
            f"`vectors` must be at least {min_rows} rows of numbers, [n, size]. Received shape "
            f"{list(rows.shape)}."
        )
    if not torch.isfinite(rows).all():
        row = int((~torch.isfinite(rows).all(1)).nonzero()[0, 0])
        raise ValueError(f"`vectors` must be finite. Received NaN or infinity, first in row {row}.")
    # Statistics of a million rows lose digits in float32.
    return rows.double(), rows.device


def is_fitted(module: nn.Module) -> bool:
    """Return False if a transform inside `module` is not fitted yet.

    Example:
        >>> is_fitted(nn.Identity())
        True
    """
    return all(bool(part.fitted) for part in module.modules() if isinstance(part, Transform))
