"""Affine transforms of an encoded vector, fitted once and saved with the weights.

`TRANSFORMS`         all transforms by short name, which follows a readout: "mean>pca(64)"
`PCA`                principal components
`Whitening`          principal components scaled to variance 1
`Standardization`    mean 0 and standard deviation 1 of each number
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.encoders.readouts.projections import RandomProjection, SignProjection
from rlpriors.encoders.readouts.transform_base import Transform, as_rows
from rlpriors.encoders.readouts.validation import check_int

__all__ = ["PCA", "TRANSFORMS", "Standardization", "Whitening"]


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
        data, device = as_rows(vectors, self.size + 1)
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


class Standardization(Transform):
    """Mean 0 and standard deviation 1 of each number over the fitted vectors.

    The scale is fixed afterwards and saved with the weights.  Layers that are trained by gradients learn
    faster from numbers of similar size.  Standard deviations are clamped to at least `floor` times
    their root mean square.  Otherwise numbers that hardly vary in the fitted data would be amplified
    without bound.

    Raises:
        ValueError: `floor` is not in (0, 1).

    Example:
        >>> points = torch.tensor([[0.0, 10.0], [2.0, 30.0], [4.0, 50.0]])
        >>> Standardization().fit(points)(points)[:, 1]
        tensor([-1.,  0.,  1.])
    """

    def __init__(self, floor: float = 0.01) -> None:
        super().__init__()
        if not 0 < floor < 1:
            raise ValueError(f"`floor` must be between 0 and 1. Received {floor}.")
        self.floor = floor

    @property
    def name(self) -> str:
        return "scale" if self.floor == 0.01 else f"scale({self.floor})"

    def out_size(self, in_size: int) -> int:
        return in_size

    def build(self, in_size: int, device: torch.device | str = "cpu") -> int:
        if self.matrix is None:
            self.mean = torch.zeros(in_size, device=device)
            self.matrix = torch.zeros(in_size, device=device)  # the diagonal
            self.fitted = self.fitted.to(device)
        return super().build(in_size, device)

    def fit(self, vectors: np.ndarray | Tensor) -> "Standardization":
        """Fit to `vectors` [n, size] with n at least 2, and return the transform itself.

        Raises:
            ValueError: `vectors` are not finite, not 2-dimensional, or fewer than 2.
        """
        data, device = as_rows(vectors, 2)
        self.build(data.shape[1], device)
        assert self.mean is not None  # `build` has created both
        assert self.matrix is not None
        deviation = data.std(0)
        minimum = self.floor * float(deviation.square().mean().sqrt()) or 1.0
        with torch.no_grad():
            self.mean.copy_(data.mean(0))
            self.matrix.copy_(1 / deviation.clamp_min(minimum))
            self.fitted.fill_(True)
        return self

    def apply_matrix(self, centered: Float[Tensor, "batch in_size"]) -> Float[Tensor, "batch out_size"]:
        assert self.matrix is not None
        return centered * self.matrix


TRANSFORMS: dict[str, Callable[..., Transform]] = {
    "pca": PCA,  # pca(64)
    "whiten": Whitening,  # whiten(64)
    "scale": Standardization,  # scale, scale(0.1)
    "random-projection": RandomProjection,  # random-projection(256), random-projection(256,seed)
    "sign-projection": SignProjection,  # sign-projection(256), sign-projection(256,seed)
}
"""Transforms by name; they follow a readout, as in "crops(1,2,4)>random-projection(512)"."""
