"""Forward diffusion process, prediction targets, denoising loss and residual.

`DiffusionProcess`    noise schedule and prediction type of a denoiser
`denoising_loss`      training loss of a denoiser
`denoising_residual`  reconstruction error of windows, a proxy of their likelihood
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.arguments import check_arguments
from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.schedule import NoiseSchedule
from rlpriors.types import Denoiser

__all__ = ["DiffusionProcess", "PredictionType", "denoising_loss", "denoising_residual"]

PredictionType = Literal["epsilon", "sample", "v_prediction", "velocity", "edm"]


class DiffusionProcess(nn.Module):
    """Noise schedule and meaning of a denoiser's output.

    Args:
        schedule: the noise levels.
        prediction_type: "epsilon" (the noise), "sample" (the clean window), "v_prediction"
            (sqrt(abar) noise - sqrt(1 - abar) x_0; Salimans & Ho 2022, arXiv 2202.00512),
            "velocity" (noise - x_0, that of a rectified flow; Liu et al. 2022, arXiv 2209.03003) or
            "edm" (the remainder to add to a scaled input; Karras et al. 2022, arXiv 2206.00364, eq. 7
            and table 1: inputs and targets of unit variance at every noise level, and the loss of
            eq. 8 with its weight 1 / c_out^2).  Each goes with any schedule.
        sigma_data: the standard deviation of normalized windows, for "edm".

    Example:
        >>> process = DiffusionProcess(NoiseSchedule(50), "epsilon")
        >>> x, noise, t = torch.ones(1, 4, 2), torch.zeros(1, 4, 2), torch.tensor([10])
        >>> noisy = process.q_sample(x, t, noise)
        >>> torch.allclose(process.predict_x_start(noise, noisy, t), x)
        True
    """

    @check_arguments
    def __init__(
        self,
        schedule: NoiseSchedule,
        prediction_type: PredictionType = "sample",
        *,
        sigma_data: float = 0.5,
    ) -> None:
        super().__init__()
        if prediction_type not in get_args(PredictionType):
            raise ValueError(
                f"`prediction_type` must be one of {get_args(PredictionType)}. Received {prediction_type!r}."
            )
        if not sigma_data > 0:
            raise ValueError(f"`sigma_data` must be positive. Received {sigma_data}.")
        self.schedule = schedule
        self.prediction_type = prediction_type
        self.sigma_data = sigma_data

    def q_sample(
        self,
        x_start: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
        noise: Float[Tensor, "batch horizon dim"],
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the window at diffusion time `t`: signal_t x_0 + noise_t noise."""
        signal, amount = self.schedule.coefficients(t)
        return signal * x_start + amount * noise

    def from_noise(self, noise: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "batch horizon dim"]:
        """Scale standard normal noise to windows at the noisiest time."""
        if self.schedule.preserves_variance:
            return noise
        return self.schedule.scale[-1] * noise

    def target(
        self,
        x_start: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
        noise: Float[Tensor, "batch horizon dim"],
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the output of a perfect denoiser."""
        if self.prediction_type == "epsilon":
            return noise
        if self.prediction_type == "sample":
            return x_start
        if self.prediction_type == "velocity":
            return noise - x_start
        abar = self.schedule.at(t)
        if self.prediction_type == "v_prediction":
            return abar.sqrt() * noise - (1 - abar).sqrt() * x_start
        sigma = ((1 - abar) / abar).sqrt()
        _, c_skip, c_out = self._edm(sigma)
        return (x_start - c_skip * (x_start + sigma * noise)) / c_out

    def predict_x_start(
        self,
        output: Float[Tensor, "batch horizon dim"],
        x_t: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch horizon dim"]:
        """Convert a denoiser's `output` at `x_t` to the clean window."""
        if self.prediction_type == "sample":
            return output
        signal, amount = self.schedule.coefficients(t)
        if self.prediction_type == "epsilon":
            return (x_t - amount * output) / signal
        if self.prediction_type == "velocity":
            return (x_t - amount * output) / (signal + amount)
        if self.prediction_type == "edm":
            _, c_skip, c_out = self._edm(amount / signal)
            return c_skip * (x_t / signal) + c_out * output
        abar, scale = self.schedule.at(t), self.schedule.scale_at(t)
        return abar.sqrt() * (x_t / scale) - (1 - abar).sqrt() * output

    def predict_noise(
        self,
        x_start: Float[Tensor, "batch horizon dim"],
        x_t: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the noise that leads from `x_start` to `x_t`."""
        signal, amount = self.schedule.coefficients(t)
        return (x_t - signal * x_start) / amount

    def predict(
        self,
        denoiser: Denoiser,
        x_t: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the denoiser's output at `x_t`, which contains the known entries unchanged.

        "edm" scales the network's input, except the known entries of `condition`.

        Raises:
            ValueError: `denoiser` returns anything else than a tensor of the shape of `x_t`.
        """
        if self.prediction_type == "edm":
            signal, amount = self.schedule.coefficients(t)
            c_in, _, _ = self._edm(amount / signal)
            x_t = c_in * (x_t / signal)
            x_t = x_t if condition is None else condition.apply(x_t)
        output: object = denoiser(x_t, t)
        if not isinstance(output, Tensor) or output.shape != x_t.shape:
            received = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"`denoiser` must return a tensor of shape {tuple(x_t.shape)}, as its input has. Received "
                f"{received}."
            )
        return output

    def denoise(
        self,
        denoiser: Denoiser,
        x_t: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
        condition: Condition | None = None,
    ) -> Float[Tensor, "batch horizon dim"]:
        """Return the clean window that `denoiser` predicts from `x_t`."""
        return self.predict_x_start(self.predict(denoiser, x_t, t, condition), x_t, t)

    def _edm(self, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return c_in, c_skip and c_out of arXiv 2206.00364, table 1."""
        total = (sigma**2 + self.sigma_data**2).sqrt()
        return 1 / total, (self.sigma_data / total) ** 2, sigma * self.sigma_data / total


def denoising_loss(
    process: DiffusionProcess,
    denoiser: Denoiser,
    x_start: Float[Tensor, "batch horizon dim"],
    *,
    t: Int[Tensor, " batch"],
    noise: Float[Tensor, "batch horizon dim"],
    condition: Condition | None = None,
    weight: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, ""]:
    """Compute the mean squared error of the prediction over the unknown entries.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the network in training.
        x_start: clean windows.
        t: a diffusion time for each window.
        noise: standard normal noise.
        condition: entries that are known while sampling.  The network reads them without noise,
            and the loss leaves them out.
        weight: non-negative weights that broadcast to the windows, for example 0 beyond an
            episode's end.
    """
    x_t = process.q_sample(x_start, t, noise)
    count = torch.ones_like(x_start) if weight is None else weight.expand_as(x_start)
    if condition is not None:
        x_t = condition.apply(x_t)
        count = count * ~condition.mask
    error = (process.predict(denoiser, x_t, t, condition) - process.target(x_start, t, noise)).square()
    return (error * count).sum() / count.sum().clamp(min=1e-8)


@torch.no_grad()
@check_arguments
def denoising_residual(
    process: DiffusionProcess,
    denoiser: Denoiser,
    x_start: Float[Tensor, "batch horizon dim"],
    *,
    levels: tuple[float, ...] = (0.2, 0.4, 0.6),
    condition: Condition | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " batch"]:
    """Compute the error of restoring each window from noise, a proxy of -log p(window).

    The diffusion bound on log p is a weighted sum of these errors over all times (Ho et al. 2020,
    arXiv 2006.11239, eq. 12).  A few middle times separate typical from atypical windows.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the trained network.
        x_start: the windows to score.
        levels: the diffusion times, as fractions of the schedule.
        condition: known entries, which are left out.
        generator: the generator of the noise, which is the same for all windows.

    Raises:
        ValueError: a window or its residual is not finite, or a level is outside [0, 1].
    """
    x_start = x_start.to(_input_dtype(denoiser, x_start))
    if not x_start.isfinite().all():
        raise ValueError(
            f"`x_start` must be finite. Received {int((~x_start.isfinite()).sum())} NaN or infinite numbers."
        )
    if not levels or not all(0 <= level <= 1 for level in levels):
        raise ValueError(f"`levels` must be at least one number in [0, 1]. Received {levels}.")
    residual = torch.zeros(len(x_start), device=x_start.device, dtype=x_start.dtype)
    free = torch.ones_like(x_start) if condition is None else (~condition.mask).to(x_start.dtype)
    for level in levels:
        time = round(level * (process.schedule.num_train_timesteps - 1))
        t = torch.full((len(x_start),), time, device=x_start.device)
        noise = torch.randn(x_start.shape[1:], generator=generator, device=x_start.device).to(x_start.dtype)
        x_t = process.q_sample(x_start, t, noise.expand_as(x_start))
        if condition is not None:
            x_t = condition.apply(x_t)
        error = (process.denoise(denoiser, x_t, t, condition) - x_start).square() * free
        residual += error.sum((1, 2)) / free.sum((1, 2)).clamp(min=1) / len(levels)
    if not residual.isfinite().all():
        raise ValueError(
            "`x_start` and `denoiser` must give finite residuals. Received NaN or infinity for "
            f"{int((~residual.isfinite()).sum())} windows; normalize the windows, or check the weights."
        )
    return residual


def _input_dtype(denoiser: Denoiser, x: Tensor) -> torch.dtype:
    """Return the type of a network's weights, or the type of windows for a plain function."""
    if isinstance(denoiser, nn.Module):
        for weight in denoiser.parameters():
            return weight.dtype
    return x.dtype if x.is_floating_point() else torch.get_default_dtype()
