"""Gaussian windows, whose exact denoiser and exact guided mean are known.

`GaussianWindows`  covariance of windows, with their exact denoiser and a linear value
`WINDOWS`          the cases by name
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlpriors.diffusion import DiffusionProcess
from rlpriors.types import Denoiser

__all__ = ["HORIZON", "WINDOWS", "GaussianWindows"]

HORIZON = 16


@dataclass(frozen=True)
class GaussianWindows:
    """Distribution N(0, covariance) of windows [horizon, dim], flattened time step by time step."""

    covariance: Tensor
    """Covariance [horizon * dim, horizon * dim]."""
    dim: int = 1
    """Number of entries of a time step."""

    @property
    def shape(self) -> tuple[int, int]:
        """Horizon and entries of a window."""
        return len(self.covariance) // self.dim, self.dim

    def scaled(self, std: float) -> "GaussianWindows":
        """Return these windows, each entry times `std`."""
        return GaussianWindows(std**2 * self.covariance, self.dim)

    def denoiser(self, process: DiffusionProcess) -> Denoiser:
        """Return the exact denoiser of `process`: E[x_0 | x_t] in its prediction type."""
        values, vectors = torch.linalg.eigh(self.covariance.double())

        def predict(x: Tensor, t: Tensor, /) -> Tensor:
            signal, noise = (level.double() for level in process.schedule.coefficients(t))
            if process.prediction_type == "edm":  # whose network reads scaled windows
                x = x * signal * (noise**2 / signal**2 + process.sigma_data**2).sqrt()
            # E[x_0 | x_t] = S signal (signal^2 S + noise^2)^-1 x_t, in the eigenvectors of the covariance S.
            signal, noise = signal[:, 0], noise[:, 0]
            gain = signal * values / (signal**2 * values + noise**2)
            start = ((x.double().flatten(1) @ vectors) * gain) @ vectors.T
            x_start = start.reshape(x.shape).to(x.dtype)
            return process.target(x_start, t, process.predict_noise(x_start, x, t))

        return predict

    def tilted_mean(self, slope: Tensor) -> Tensor:
        """Return the mean of p(x) exp(slope . x), which is covariance times slope, as a window."""
        return (self.covariance @ slope.flatten()).reshape(self.shape)


def _smooth(length: float) -> Tensor:
    """Return correlations exp(-(distance / length)^2 / 2) of time steps."""
    steps = torch.arange(HORIZON, dtype=torch.float64)
    distance = steps[:, None] - steps
    return (torch.exp(-((distance / length) ** 2) / 2) + 1e-6 * torch.eye(HORIZON)).float()


def _mixed() -> Tensor:
    """Return the covariance of a slow first entry and a fast second entry, independent of each other."""
    pair = torch.zeros(HORIZON, 2, HORIZON, 2)
    pair[:, 0, :, 0], pair[:, 1, :, 1] = _smooth(8.0), torch.eye(HORIZON)
    return pair.reshape(2 * HORIZON, 2 * HORIZON)


WINDOWS = {
    "independent": GaussianWindows(torch.eye(HORIZON)),
    "correlated": GaussianWindows(_smooth(8.0)),
    "mixed": GaussianWindows(_mixed(), dim=2),
}
"""Windows of variance 1: independent time steps, slowly changing ones, and both as two entries."""
