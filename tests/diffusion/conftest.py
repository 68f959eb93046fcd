"""A world whose best denoiser is known: every entry of a window is normal."""

from collections.abc import Callable

import pytest
from torch import Tensor

from rlpriors.diffusion import DiffusionProcess
from rlpriors.types import Denoiser


@pytest.fixture
def gaussian() -> Callable[..., Denoiser]:
    """The optimal denoiser of data N(mean, std^2), in whatever `process` calls a prediction."""

    def denoiser(process: DiffusionProcess, mean: float = 0.0, std: float = 1.0) -> Denoiser:
        def predict(x: Tensor, t: Tensor, /) -> Tensor:
            signal, noise = process.schedule.coefficients(t)
            if process.prediction_type == "edm":  # it sees scaled windows
                x = x * signal * (noise**2 / signal**2 + process.sigma_data**2).sqrt()
            # E[x_0 | x_t] of two jointly normal variables.
            gain = signal * std**2 / (signal**2 * std**2 + noise**2)
            x_start = mean + gain * (x - signal * mean)
            return process.target(x_start, t, process.predict_noise(x_start, x, t))

        return predict

    return denoiser
