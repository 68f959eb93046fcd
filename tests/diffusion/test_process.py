"""The forward process, the loss and the residual, with numbers by hand."""

from typing import Any

import pytest
import torch
from jaxtyping import config

from rlpriors.diffusion import Condition, DiffusionProcess, NoiseSchedule, denoising_loss, denoising_residual
from rlpriors.networks import build_denoiser

PREDICTIONS = ["epsilon", "sample", "v_prediction"]


def zeros(x, t, /):
    return torch.zeros_like(x)


def start(entries: int, horizon: int, dim: int, batch: int = 1) -> Condition:
    return Condition.fix_steps(torch.full((batch, 1, entries), 9.0), horizon=horizon, dim=dim)


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
@pytest.mark.parametrize("beta_schedule", ["cosine", "linear"])
def test_the_target_stands_for_the_clean_window(prediction_type, beta_schedule) -> None:
    process = DiffusionProcess(NoiseSchedule(20, beta_schedule), prediction_type).double()
    t = torch.arange(20)
    x, noise = torch.randn(2, 20, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x_t = process.q_sample(x, t, noise)
    # In double precision, because noise predictions are divided by sqrt(abar), 1e-5 at the noisiest time.
    torch.testing.assert_close(process.predict_x_start(process.target(x, t, noise), x_t, t), x)
    torch.testing.assert_close(process.predict_noise(x, x_t, t), noise)


def test_targets_by_hand() -> None:
    schedule = NoiseSchedule(2)
    schedule.alphas_cumprod = torch.tensor([0.64, 0.36])
    t, x, noise = torch.tensor([0]), torch.full((1, 1, 1), 5.0), torch.full((1, 1, 1), 10.0)
    targets = {name: DiffusionProcess(schedule, name).target(x, t, noise).item() for name in PREDICTIONS}
    assert targets == pytest.approx({"epsilon": 10.0, "sample": 5.0, "v_prediction": 0.8 * 10 - 0.6 * 5})
    assert DiffusionProcess(schedule).q_sample(x, t, noise).item() == pytest.approx(0.8 * 5 + 0.6 * 10)


def test_moments_of_noisy_windows() -> None:
    process = DiffusionProcess(NoiseSchedule(10))
    generator, t = torch.Generator().manual_seed(0), torch.full((20_000,), 5)
    noise = torch.randn(20_000, 1, 1, generator=generator)
    x_t = process.q_sample(torch.full_like(noise, 3.0), t, noise)
    abar = process.schedule.alphas_cumprod[5]
    # Five standard errors of a mean of 20,000.
    assert x_t.mean().item() == pytest.approx(3 * abar.sqrt().item(), abs=0.035)
    assert x_t.var().item() == pytest.approx(1 - abar.item(), rel=0.05)


@pytest.mark.parametrize(
    ("entries", "weight", "loss"),
    [
        (0, None, (1 + 4 + 9 + 16) / 4),
        (2, None, (9 + 16) / 2),
        (1, None, (4 + 9 + 16) / 3),
        (0, [[[1.0], [0.0]]], (1 + 4) / 2),  # a frame beyond the episode's end
        (0, [[[1.0, 3.0]]], (1 + 3 * 4 + 9 + 3 * 16) / 8),
        (1, [[[1.0], [0.0]]], 4.0),
        (2, [[[1.0], [0.0]]], 0.0),  # nothing is left to predict
    ],
)
def test_loss_by_hand(entries: int, weight, loss: float) -> None:
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    computed = denoising_loss(
        DiffusionProcess(NoiseSchedule(10)),
        zeros,  # so that the error is the window itself
        x,
        t=torch.tensor([3]),
        noise=torch.randn(x.shape, generator=torch.Generator().manual_seed(0)),
        condition=start(entries, 2, 2) if entries else None,
        weight=None if weight is None else torch.tensor(weight),
    )
    assert computed.item() == pytest.approx(loss)


def test_the_network_sees_known_entries_clean() -> None:
    seen = []

    def spy(x, t, /):
        seen.append(x)
        return x

    condition = start(1, 2, 2)
    denoising_loss(
        DiffusionProcess(NoiseSchedule(10)),
        spy,
        torch.zeros(1, 2, 2),
        t=torch.tensor([9]),
        noise=torch.ones(1, 2, 2),
        condition=condition,
    )
    assert seen[0][0, 0, 0] == 9.0
    assert bool((seen[0][~condition.mask] > 0.9).all())  # all noise


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
def test_known_and_weightless_entries_cannot_change_the_loss(prediction_type) -> None:
    process = DiffusionProcess(NoiseSchedule(10), prediction_type)
    generator = torch.Generator().manual_seed(0)
    x, noise, change = torch.randn(3, 4, 3, 2, generator=generator)
    weight = torch.tensor([1.0, 1.0, 0.0])[:, None].expand(4, 3, 1)
    condition = start(2, 3, 2, batch=4)

    def pointwise(x_t, t, /):  # sees no other entry, so that only targets could differ
        return 0.3 * x_t

    def loss(x):
        return denoising_loss(
            process, pointwise, x, t=torch.arange(4), noise=noise, condition=condition, weight=weight
        )

    outside = torch.zeros(3, 2)
    outside[[0, 2]] = 1
    assert loss(x) == loss(x + change * outside)
    assert loss(x) != loss(x + change * (1 - outside))


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
def test_the_gradient_reaches_the_denoiser(prediction_type) -> None:
    network = build_denoiser("mlp", horizon=4, dim=2, width=16, blocks=1)
    x = torch.ones(3, 4, 2)
    process = DiffusionProcess(NoiseSchedule(10), prediction_type)
    denoising_loss(process, network, x, t=torch.tensor([0, 5, 9]), noise=0.5 * x).backward()
    assert network.leave.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
def test_foreign_windows_are_restored_worse(gaussian, prediction_type) -> None:
    process = DiffusionProcess(NoiseSchedule(50), prediction_type)
    generator = torch.Generator().manual_seed(0)
    typical = 0.2 * torch.randn(50, 8, 2, generator=generator)
    foreign = 1.0 * torch.randn(50, 8, 2, generator=generator)
    windows = torch.cat([typical, foreign])
    residual = denoising_residual(process, gaussian(process, std=0.2), windows, generator=generator)
    assert residual.shape == (100,)
    assert residual[:50].max() < residual[50:].min()


def test_residual_by_hand() -> None:
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    process = DiffusionProcess(NoiseSchedule(10))
    assert denoising_residual(process, zeros, x).item() == pytest.approx(7.5)
    known = denoising_residual(process, zeros, x, condition=start(2, 2, 2), levels=(0.5,))
    assert known.item() == pytest.approx(12.5)


def test_the_residual_uses_one_noise_for_all_windows(gaussian) -> None:
    process = DiffusionProcess(NoiseSchedule(10))
    window = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0))

    def residual(n: int):
        generator = torch.Generator().manual_seed(1)
        return denoising_residual(process, gaussian(process), window.expand(n, 4, 2), generator=generator)

    torch.testing.assert_close(residual(3), residual(1).expand(3))


def test_a_window_that_is_wholly_known_has_no_residual() -> None:
    known = Condition.fix_steps(torch.ones(1, 2, 1), horizon=2, dim=1)
    residual = denoising_residual(
        DiffusionProcess(NoiseSchedule(10)), zeros, torch.ones(1, 2, 1), condition=known
    )
    assert residual.item() == 0.0


@pytest.mark.usefixtures("without_type_checks")
def test_residuals_of_other_types_and_sizes() -> None:
    process = DiffusionProcess(NoiseSchedule(8))
    denoiser = build_denoiser("mlp", 2, 1)
    x = torch.tensor([[[1.0], [2.0]]])

    def residual(x: torch.Tensor, denoiser: Any = denoiser) -> torch.Tensor:
        return denoising_residual(
            process, denoiser, x, levels=(0.5,), generator=torch.Generator().manual_seed(0)
        )

    expected = residual(x)
    for other in (x.double(), x.half(), x.long()):
        assert torch.equal(residual(other), expected)
    assert residual(x[:0]).shape == (0,)
    with pytest.raises(ValueError, match="`x_start` and `denoiser` must give finite residuals"):
        residual(1e30 * x)
    for output in (None, torch.zeros(1, 2), 1.0):
        with pytest.raises(ValueError, match=r"`denoiser` must return a tensor of shape \(1, 2, 1\)"):
            residual(x, lambda x, t, output=output: output)


def test_unknown_prediction(monkeypatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"`prediction_type` must be one of .*epsilon.*\. Received 'x0'"):
        DiffusionProcess(NoiseSchedule(10), "x0")
