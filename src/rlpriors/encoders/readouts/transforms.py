"""Affine transforms of an encoded vector, fitted once and saved with the weights.

`TRANSFORMS`         all transforms by short name, which follows a readout: "mean>pca(64)"
`Transform`          base class of transforms
`PCA`                principal components
`Whitening`          principal components scaled to variance 1
`RandomProjection`   Gaussian projection that needs no data (Johnson and Lindenstrauss 1984)
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.encoders.readouts.validation import check_int

__all__ = ["PCA", "TRANSFORMS", "RandomProjection", "Transform", "Whitening"]


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
        return ((x.to(self.mean.dtype) - self.mean) @ self.matrix).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the specification, for `print`."""
        return f"name={self.name!r}"


class PCA(Transform):
    """Projection onto the first `size` principal components.

    Statistics are computed in float64.  The largest entry of each direction is positive, so that the
    same data give the same signs on every machine.

    Raises:
        ValueError: `size` is below 1, or larger than the vectors.

    Example:
        >>> points = torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
        >>> PCA(1).fit(points)(points)
        tensor([[-2.8284],
                [ 0.0000],
                [ 2.8284]])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = check_int("size", size)

    @property
    def name(self) -> str:
        return f"pca({self.size})"

    def out_size(self, in_size: int) -> int:
        if in_size < self.size:
            raise ValueError(
                f"`size` of {self.name!r} must be at most {in_size}, the size of the vectors. "
                f"Received {self.size}."
            )
        return self.size

    def fit(self, vectors: np.ndarray | Tensor) -> "PCA":
        """Fit to `vectors` [n, in_size] with n at least 2, and return the transform itself.

        Raises:
            ValueError: `vectors` are not finite, not 2-dimensional, or not more than the components.
        """
        data, device = _as_rows(vectors, self.size + 1)
        self.build(data.shape[1], device)
        # `build` has created both.
        assert self.mean is not None
        assert self.matrix is not None
        mean = data.mean(0)
        # Eigenvectors of the covariance, not an SVD of the data: the cost does not grow with the rows.
        variances, directions = torch.linalg.eigh((data - mean).T @ (data - mean) / (len(data) - 1))
        variances, directions = variances.flip(0)[: self.size], directions.flip(1)[:, : self.size]
        largest = directions.abs().argmax(0, keepdim=True)
        directions = directions * directions.gather(0, largest).sign()
        with torch.no_grad():
            self.mean.copy_(mean)
            self.matrix.copy_(self.scale_directions(directions, variances))
            self.fitted.fill_(True)
        return self

    def scale_directions(
        self, directions: Float[Tensor, "in_size out_size"], variances: Float[Tensor, " out_size"]
    ) -> Float[Tensor, "in_size out_size"]:
        """Return the matrix, given unit directions and the variance along each."""
        return directions


class Whitening(PCA):
    """Principal components divided by their standard deviation, so that the covariance is the identity.

    Variances are clamped to at least `floor` times the largest.  Otherwise directions without
    variance in the fitted data would become noise of size 1.

    Raises:
        ValueError: `size` is below 1 or larger than the vectors, or `floor` is not in (0, 1).

    Example:
        >>> points = torch.tensor([[0.0, 1.0], [2.0, 0.0], [4.0, 1.0], [2.0, 2.0]])
        >>> torch.cov(Whitening(2).fit(points)(points).T).round(decimals=3).abs()
        tensor([[1., 0.],
                [0., 1.]])
    """

    def __init__(self, size: int, floor: float = 1e-9) -> None:
        super().__init__(size)
        if not 0 < floor < 1:
            raise ValueError(f"`floor` must be between 0 and 1. Received {floor}.")
        self.floor = floor

    @property
    def name(self) -> str:
        return f"whiten({self.size})" if self.floor == 1e-9 else f"whiten({self.size},{self.floor})"

    def scale_directions(
        self, directions: Float[Tensor, "in_size out_size"], variances: Float[Tensor, " out_size"]
    ) -> Float[Tensor, "in_size out_size"]:
        # Data without any variance keep their (zero) components, unscaled.
        minimum = float(variances[0]) * self.floor or 1.0
        return directions / variances.clamp_min(minimum).sqrt()


class RandomProjection(Transform):
    """Projection by a Gaussian matrix with entries of variance 1/size, drawn from `seed`.

    Squared lengths and distances are preserved in expectation (Johnson-Lindenstrauss).  It shortens
    long vectors, such as those of crops, without fitting.

    Raises:
        ValueError: `size` is below 1, or `seed` negative.

    Example:
        >>> projection = RandomProjection(256)
        >>> projection.build(10_000)
        256
        >>> float(projection(torch.ones(1, 10_000)).norm() / 100) > 0.8
        True
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        super().__init__()
        self.size = check_int("size", size)
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"`seed` must be a whole number of at least 0. Received {seed!r}.")
        self.seed = seed

    @property
    def name(self) -> str:
        return f"random-projection({self.size}{f',{self.seed}' if self.seed else ''})"

    def out_size(self, in_size: int) -> int:
        return self.size

    def fill_buffers(self) -> None:
        assert self.matrix is not None  # `build` has created it
        # Drawn on the CPU, since the generators of other devices give other numbers.
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(self.matrix.shape, generator=generator) / math.sqrt(self.size)
        self.matrix.copy_(drawn)
        self.fitted.fill_(True)


TRANSFORMS: dict[str, Callable[..., Transform]] = {
    "pca": PCA,  # pca(64)
    "whiten": Whitening,  # whiten(64)
    "random-projection": RandomProjection,  # random-projection(256), random-projection(256,seed)
}
"""Transforms by name; they follow a readout, as in "crops(1,2,4)>random-projection(512)"."""


def _as_rows(vectors: np.ndarray | Tensor, min_rows: int) -> tuple[Tensor, torch.device]:
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
