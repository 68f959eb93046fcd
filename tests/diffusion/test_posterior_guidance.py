"""Posterior guidance: exact Gaussian denoisers, whose tilted distribution is known."""

import pytest
import torch
from benchmarks.diffusion.gaussians import WINDOWS, GaussianWindows

from rlpriors.diffusion import (
    SAMPLERS,
    Condition,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    differentiable_sample,
    sample,
)
from rlpriors.diffusion.guidance import guide_posterior
from rlpriors.networks import build_denoiser

PREDICTIONS = ("epsilon", "sample", "v_prediction", "velocity", "edm")
SCHEDULES = {"cosine": 50, "linear": 50, "edm": 1000, "rectified_flow": 1000}


def draw(process, denoiser, weight: float, shape=(16, 1), sampler="ddim", n_steps=8, **arguments):
    """Draw windows guided by the sum of their entries."""
    generator = torch.Generator().manual_seed(0)
    return sample(
        process,
        denoiser,
        torch.randn(4, *shape, generator=generator),
        n_steps=n_steps,
        sampler=sampler,
        value=lambda x: x.sum((1, 2)),
        guidance=GuidanceSettings(weight=weight, clip=None, space="posterior"),
        clip=None,
        generator=generator,
        **arguments,
    )


def achieved(windows: GaussianWindows, process: DiffusionProcess, **arguments) -> list[float]:
    """Return the shift of each entry as a fraction of the exact one, covariance times slope."""
    denoiser = windows.denoiser(process)
    guided, plain = (draw(process, denoiser, weight, windows.shape, **arguments) for weight in (1.0, 0.0))
    # Equal noise and linear maps: the difference is the same for each sample.
    exact = windows.tilted_mean(torch.ones(windows.shape))
    return ((guided - plain).mean(0) * exact).sum(0).div((exact * exact).sum(0)).tolist()


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("std", [0.3, 0.5])
@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_samples_follow_the_tilted_prior(name: str, std: float, sampler: str) -> None:
    process = DiffusionProcess(NoiseSchedule(50))
    for n_steps in (8, 50):
        fractions = achieved(WINDOWS[name].scaled(std), process, sampler=sampler, n_steps=n_steps)
        assert fractions == pytest.approx([1.0] * len(fractions), abs=0.05)


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_shift_does_not_depend_on_the_parametrization(prediction, schedule) -> None:
    process = DiffusionProcess(NoiseSchedule(SCHEDULES[schedule], schedule), prediction)
    fractions = achieved(WINDOWS["mixed"].scaled(0.5), process)
    assert fractions == pytest.approx([1.0, 1.0], abs=0.05)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_known_entries_receive_no_step(sampler: str) -> None:
    windows, known = WINDOWS["correlated"].scaled(0.5), 0.4
    first, rest = windows.covariance[1:, :1], windows.covariance[1:, 1:]
    gain = first / windows.covariance[0, 0]
    given = GaussianWindows(rest - gain @ first.T)  # of the later steps, given the first
    process = DiffusionProcess(NoiseSchedule(50))
    later = given.denoiser(process)

    def denoiser(x, t, /):
        mean = (x[:, :1] * gain.T[..., None]).reshape(len(x), 15, 1)
        signal, _ = process.schedule.coefficients(t)
        return torch.cat([torch.zeros_like(x[:, :1]), mean + later(x[:, 1:] - signal * mean, t)], dim=1)

    condition = Condition.fix_steps(torch.full((4, 1, 1), known), horizon=16, dim=1)
    guided, plain = (
        draw(process, denoiser, weight, sampler=sampler, condition=condition) for weight in (1.0, 0.0)
    )
    assert torch.equal(guided[:, 0], torch.full((4, 1), known))
    exact = given.tilted_mean(torch.ones(given.shape))
    torch.testing.assert_close((guided - plain)[:, 1:], exact.expand(4, 15, 1), rtol=0.05, atol=0.02)


def test_a_step_by_hand() -> None:
    schedule = NoiseSchedule(50)
    t = torch.tensor([20])
    abar = schedule.alphas_cumprod[20]
    settings = GuidanceSettings(weight=2.0, clip=None)
    weights = torch.tensor([[1.0, 3.0], [0.0, 2.0]])  # x_0 = (x + 3 y, 2 y)

    def predict(x, t):
        return x @ weights.T

    x = torch.tensor([[[1.0, -1.0]]])
    moved = guide_posterior(
        lambda x: 5 * x[..., 0].sum(1) + x[..., 1].sum(1), settings, predict, x, t, schedule
    )
    # The transposed Jacobian times the gradient (5, 1) is (5, 17); x_0 is (-2, -2).
    expected = torch.tensor([[[-2.0, -2.0]]]) + 2 * (1 - abar) / abar.sqrt() * torch.tensor([5.0, 17.0])
    torch.testing.assert_close(moved, expected)


def test_the_jacobian_of_almost_pure_noise_is_taken_at_a_less_noisy_time() -> None:
    schedule, called = NoiseSchedule(50), []

    def predict(x, t):
        called.append(t.tolist())
        return 0.5 * x

    def step(time: int) -> torch.Tensor:
        x, t = torch.ones(1, 2, 1), torch.tensor([time])
        settings = GuidanceSettings(clip=None)
        return guide_posterior(lambda x: x.sum((1, 2)), settings, predict, x, t, schedule) - 0.5

    last = int((schedule.alphas_cumprod >= 0.02).sum()) - 1
    assert 40 < last < 49
    torch.testing.assert_close(step(49), step(last))
    assert called == [[last], [49], [last]]
    # 0.5 (1 - abar) / sqrt(abar), at most 0.5 * 0.98 / sqrt(0.02).
    assert 2 < step(last).max() < 3.5


def test_the_step_is_bounded() -> None:
    schedule, t = NoiseSchedule(50), torch.tensor([30])
    settings = GuidanceSettings(weight=3.0, clip=2.0)
    x = torch.zeros(1, 4, 1)
    step = guide_posterior(lambda x: 1e6 * x.sum((1, 2)), settings, lambda x, t: x, x, t, schedule)
    assert step.norm().item() == pytest.approx(3 * 2.0)


def test_the_value_reads_windows_within_the_bound() -> None:
    process, read = DiffusionProcess(NoiseSchedule(20)), []

    def value(x):
        read.append(x.abs().max().item())
        return x.sum((1, 2))

    noise = torch.randn(4, 8, 2, generator=torch.Generator().manual_seed(0))
    settings = GuidanceSettings(space="posterior")
    drawn = sample(process, lambda x, t: 9 * x, noise, n_steps=4, value=value, guidance=settings, clip=0.8)
    assert max(read) == pytest.approx(0.8)
    assert drawn.abs().max() <= 0.8


def test_a_denoiser_without_a_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match=r'`denoiser` must be differentiable.*guide in space "clean"'):
        draw(DiffusionProcess(NoiseSchedule(20)), lambda x, t: x.detach(), weight=1.0)


@pytest.mark.parametrize("name", ["mlp", "mixer", "unet", "transformer"])
def test_all_networks_can_be_differentiated_twice(name: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        denoiser = build_denoiser(name, horizon=8, dim=2)
        for parameter in denoiser.parameters():  # networks start with zero outputs
            torch.nn.init.normal_(parameter, std=0.05)
    denoiser.requires_grad_(False)
    slope = torch.ones(8, 2, requires_grad=True)
    for gradient in ("full", "checkpoint"):
        drawn = differentiable_sample(
            DiffusionProcess(NoiseSchedule(20)),
            denoiser,
            torch.randn(2, 8, 2, generator=torch.Generator().manual_seed(0)),
            n_steps=2,
            value=lambda x: (slope * x).sum((1, 2)),
            guidance=GuidanceSettings(space="posterior"),
            gradient=gradient,
        )
        (found,) = torch.autograd.grad(drawn.sum(), slope)
        assert found.isfinite().all()
        assert found.abs().max() > 0
