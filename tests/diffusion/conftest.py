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
            abar = process.schedule.at(t)
            # E[x_0 | x_t] of two jointly normal variables.
            gain = abar.sqrt() * std**2 / (abar * std**2 + 1 - abar)
            x_start = mean + gain * (x - abar.sqrt() * mean)
            return process.target(x_start, t, process.predict_noise(x_start, x, t))

        return predict

    return denoiser
