"""Transforms of an encoded vector that are fitted once and saved with the weights.

`TRANSFORMS`        every transform by its short name, as it stands behind a readout: "mean>pca(64)"
`Transform`         what they share
`PCA`               the directions in which fitted vectors differ most
`Whitening`         the same, scaled to variance 1
`RandomProjection`  needs no data: distances survive (Johnson and Lindenstrauss 1984)
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["PCA", "TRANSFORMS", "RandomProjection", "Transform", "Whitening"]


class Transform(nn.Module):
    """An affine map of vectors, `(x - mean) @ matrix`, kept as buffers.

    A subclass names itself in `name`, gives the size of its result in `out_size` and fills the
    buffers; `build` makes them for vectors of a given size, so that saved ones can be loaded.

    Example:
        >>> class Half(Transform):
        ...     name = "half"
        ...     def out_size(self, in_size):
        ...         return in_size
        ...     def fill(self):
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
        """What `parse_readout` makes the same transform from."""
        raise NotImplementedError(f"{type(self).__name__} has no name: write `name`.")

    def out_size(self, in_size: int) -> int:
        """Numbers in a transformed vector."""
        raise NotImplementedError(f"{type(self).__name__} does not say its size: write `out_size`.")

    def fill(self) -> None:
        """Fill the buffers where this needs no data."""

    def build(self, in_size: int, device: torch.device | str = "cpu") -> int:
        """Make the buffers for vectors of `in_size` numbers and return the size of the result.

        Raises:
            ValueError: it was built for another size, or `in_size` is too small.
        """
        out_size = self.out_size(in_size)
        if self.matrix is None:
            self.mean = torch.zeros(in_size, device=device)
            self.matrix = torch.zeros(in_size, out_size, device=device)
            self.fitted = self.fitted.to(device)
            self.fill()
        elif len(self.matrix) != in_size:
            raise ValueError(
                f"Transform {self.name!r} was made for vectors of {len(self.matrix)} numbers. "
                f"Received {in_size}; make another for this readout."
            )
        return out_size

    def forward(self, x: Float[Tensor, "batch in_size"]) -> Float[Tensor, "batch out_size"]:
        """Transform each row.

        Raises:
            ValueError: it is not fitted yet, or fitted to vectors of another size.
        """
        # Reading the flag waits for the device, so it is read until it is true and never again.
        self._ready = self._ready or bool(self.fitted)
        if self.mean is None or self.matrix is None or not self._ready:
            raise ValueError(f"Transform {self.name!r} is not fitted yet: call `fit(vectors)` first.")
        self.build(x.shape[1])
        return ((x.to(self.mean.dtype) - self.mean) @ self.matrix).to(x.dtype)

    def extra_repr(self) -> str:
        """What `print` shows of it."""
        return f"name={self.name!r}"


class PCA(Transform):
    """The first `size` principal components.

    Statistics are taken in float64.  Each direction has its largest entry positive, so that the same
    data give the same signs everywhere.

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
        self.size = _whole("size", size)

    @property
    def name(self) -> str:
        return f"pca({self.size})"

    def out_size(self, in_size: int) -> int:
        if in_size < self.size:
            raise ValueError(
                f"`size` of {self.name!r} must be at most {in_size}, the numbers in a vector. "
                f"Received {self.size}."
            )
        return self.size

    def fit(self, vectors: np.ndarray | Tensor) -> "PCA":
        """Fit to `vectors` [n, in_size] with n at least 2, and return itself.

        Raises:
            ValueError: they are not finite, not rows, or fewer than the components they shall give.
        """
        data, device = _as_rows(vectors, self.size + 1)
        self.build(data.shape[1], device)
        # `build` has made both.
        assert self.mean is not None
        assert self.matrix is not None
        mean = data.mean(0)
        # Of the covariance, not of the data: its cost does not grow with the rows.
        variances, directions = torch.linalg.eigh((data - mean).T @ (data - mean) / (len(data) - 1))
        variances, directions = variances.flip(0)[: self.size], directions.flip(1)[:, : self.size]
        largest = directions.abs().argmax(0, keepdim=True)
        directions = directions * directions.gather(0, largest).sign()
        with torch.no_grad():
            self.mean.copy_(mean)
            self.matrix.copy_(self.scaled(directions, variances))
            self.fitted.fill_(True)
        return self

    def scaled(
        self, directions: Float[Tensor, "in_size out_size"], variances: Float[Tensor, " out_size"]
    ) -> Float[Tensor, "in_size out_size"]:
        """The matrix from unit directions and the variance along each."""
        return directions


class Whitening(PCA):
    """Principal components divided by their standard deviation: covariance is the identity.

    A direction whose variance is below `floor` times the largest is scaled as if it had that much:
    what does not vary in the fitted data would otherwise become noise of size 1.

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

    def scaled(
        self, directions: Float[Tensor, "in_size out_size"], variances: Float[Tensor, " out_size"]
    ) -> Float[Tensor, "in_size out_size"]:
        # Data without any variance keep their (zero) components, unscaled.
        least = float(variances[0]) * self.floor or 1.0
        return directions / variances.clamp_min(least).sqrt()


class RandomProjection(Transform):
    """A Gaussian matrix with entries of variance 1/size, drawn from `seed`.

    Squared lengths and distances keep their mean (Johnson-Lindenstrauss), so it shortens long
    vectors such as those of crops without having seen any.

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
        self.size = _whole("size", size)
        if not isinstance(seed, int) or seed < 0:
            raise ValueError(f"`seed` must be a whole number of at least 0. Received {seed!r}.")
        self.seed = seed

    @property
    def name(self) -> str:
        return f"random-projection({self.size}{f',{self.seed}' if self.seed else ''})"

    def out_size(self, in_size: int) -> int:
        return self.size

    def fill(self) -> None:
        assert self.matrix is not None  # `build` has made it
        # Drawn on the CPU: a device's own generator gives other numbers.
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randn(self.matrix.shape, generator=generator) / math.sqrt(self.size)
        self.matrix.copy_(drawn)
        self.fitted.fill_(True)


TRANSFORMS: dict[str, Callable[..., Transform]] = {
    "pca": PCA,  # pca(64)
    "whiten": Whitening,  # whiten(64)
    "random-projection": RandomProjection,  # random-projection(256), random-projection(256,seed)
}
"""What may follow a readout, as in "crops(1,2,4)>random-projection(512)"."""


def _whole(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value!r}.")
    return value


def _as_rows(vectors: np.ndarray | Tensor, least: int) -> tuple[Tensor, torch.device]:
    given = torch.as_tensor(vectors).detach()
    if given.ndim != 2 or given.shape[1] == 0 or len(given) < least:
        raise ValueError(
            f"`vectors` must be at least {least} rows of numbers, [n, size]. Received shape "
            f"{list(given.shape)}."
        )
    if not torch.isfinite(given).all():
        row = int((~torch.isfinite(given).all(1)).nonzero()[0, 0])
        raise ValueError(f"`vectors` must be finite. Received NaN or infinity, first in row {row}.")
    # A million rows lose digits in float32.
    return given.double(), given.device
