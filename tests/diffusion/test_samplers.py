"""All samplers against a prior whose best denoiser is known, and against recorded numbers."""

import pytest
import torch

from rlpriors.diffusion import (
    SAMPLERS,
    Condition,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    sample,
)
from rlpriors.diffusion.samplers import Step, ddim_step, ddpm_step, posterior_variance

PREDICTIONS = ["epsilon", "sample", "v_prediction"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def levels(t: int, s: int, n: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    schedule = NoiseSchedule(n)
    return schedule.at(torch.tensor([t])), schedule.at(torch.tensor([s]))


@pytest.mark.parametrize(("t", "s"), [(19, 18), (19, 0), (10, 3), (1, 0), (5, -1), (0, -1)])
def test_ddim_with_all_noise_is_ddpm(t: int, s: int) -> None:
    x_t, x_start, noise = torch.randn(3, 1, 4, 2, generator=seeded(), dtype=torch.float64)
    abar_t, abar_s = (level.double() for level in levels(t, s))
    step = Step(x_t, x_start, abar_t, abar_s, noise, eta=1.0)
    torch.testing.assert_close(ddim_step(step), ddpm_step(step))


def test_whole_ddim_with_all_noise_is_ddpm(gaussian) -> None:
    process = DiffusionProcess(NoiseSchedule(20))
    x = torch.randn(3, 4, 2, generator=seeded())
    arguments = {"n_steps": 7, "clip": 0.5}
    ddim = sample(process, gaussian(process), x, sampler="ddim", eta=1.0, generator=seeded(1), **arguments)
    ddpm = sample(process, gaussian(process), x, sampler="ddpm", generator=seeded(1), **arguments)
    torch.testing.assert_close(ddim, ddpm)


def test_steps_by_hand() -> None:
    # abar_t = 0.36, abar_s = 0.64: posterior variance 0.36 / 0.64 * (1 - 0.5625) = 0.24609375.
    one = torch.ones(1, 1, 1)
    step = Step(2 * one, one, 0.36 * one, 0.64 * one, noise=3 * one, eta=0.0)
    assert posterior_variance(0.36 * one, 0.64 * one).item() == pytest.approx(0.24609375)
    # DDIM: noise seen (2 - 0.6) / 0.8 = 1.75; next 0.8 * 1 + 0.6 * 1.75.
    assert ddim_step(step).item() == pytest.approx(1.85)
    # DDPM: mean 0.8 * 0.4375 / 0.64 * 1 + 0.75 * 0.36 / 0.64 * 2, plus sqrt(variance) * 3.
    assert ddpm_step(step).item() == pytest.approx(0.546875 + 0.84375 + 3 * 0.24609375**0.5)


# DDPM's posterior is that of a known x_0: with 50 steps it loses up to a tenth of a narrow spread.
@pytest.mark.parametrize(
    ("sampler", "eta", "narrower"), [("ddim", 0.0, 0.05), ("ddim", 0.5, 0.06), ("ddpm", 0.0, 0.1)]
)
@pytest.mark.parametrize("std", [0.3, 1.0])
@pytest.mark.parametrize("n_times", [50, 1000])
def test_samples_have_the_priors_mean_and_spread(gaussian, sampler, eta, narrower, std, n_times) -> None:
    process = DiffusionProcess(NoiseSchedule(n_times))
    generator = seeded()
    x = torch.randn(10_000, 2, 1, generator=generator)
    drawn = sample(
        process,
        gaussian(process, mean=0.3, std=std),
        x,
        n_steps=50,
        sampler=sampler,
        eta=eta,
        clip=None,
        generator=generator,
    )
    assert drawn.mean().item() == pytest.approx(0.3, abs=0.035 * std)  # five standard errors
    assert 1 - narrower < drawn.std().item() / std < 1.02


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_all_predictions_lead_to_the_same_samples(gaussian, sampler: str) -> None:
    x = torch.randn(3, 4, 2, generator=seeded())
    drawn = []
    for prediction_type in PREDICTIONS:
        process = DiffusionProcess(NoiseSchedule(20), prediction_type)
        drawn.append(
            sample(process, gaussian(process, 0.3, 0.5), x, n_steps=5, sampler=sampler, generator=seeded(1))
        )
    torch.testing.assert_close(drawn[0], drawn[1], atol=3e-4, rtol=0)  # epsilon is divided by sqrt(abar)
    torch.testing.assert_close(drawn[2], drawn[1], atol=1e-5, rtol=0)


# Recorded at the first release, on the CPU, by this very test with the assertion replaced by
# `print(drawn.flatten().tolist())`: noise and steps from one generator of seed 0, a prior N(0.3, 0.5^2).
@pytest.mark.parametrize(
    ("sampler", "eta", "recorded"),
    [
        ("ddim", 0.0, [0.839325, 0.197181, -0.462793, 0.498877]),
        ("ddim", 0.5, [0.316234, 0.104128, -0.417688, 0.573209]),
        ("ddpm", 0.0, [-0.147695, 0.355309, -0.047023, 0.377441]),
    ],
)
def test_recorded_numbers(gaussian, sampler: str, eta: float, recorded: list[float]) -> None:
    process, generator = DiffusionProcess(NoiseSchedule(50)), seeded(0)
    x = torch.randn(1, 2, 2, generator=generator)
    drawn = sample(
        process,
        gaussian(process, 0.3, 0.5),
        x,
        n_steps=5,
        sampler=sampler,
        eta=eta,
        clip=None,
        generator=generator,
    )
    torch.testing.assert_close(drawn.flatten(), torch.tensor(recorded), atol=2e-5, rtol=0)


@pytest.mark.parametrize("space", ["clean", "noisy", "posterior"])
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_known_entries_hold_exactly(gaussian, sampler: str, space) -> None:
    process = DiffusionProcess(NoiseSchedule(20))
    # 1.7 lies outside of the bound on entries: known is known.
    known = Condition.fix_steps(torch.full((3, 1, 1), 1.7), horizon=4, dim=2)
    known = known | Condition.fix_steps(torch.rand(3, 1, 2, generator=seeded()), horizon=4, dim=2, first=-1)
    drawn = sample(
        process,
        gaussian(process),
        torch.randn(3, 4, 2, generator=seeded(1)),
        n_steps=5,
        sampler=sampler,
        eta=0.5,
        condition=known,
        value=lambda x: x.sum((1, 2)),
        guidance=GuidanceSettings(space=space, n_repeats=2),
        generator=seeded(2),
    )
    assert torch.equal(drawn[known.mask], known.value[known.mask])
    assert drawn[~known.mask].abs().max() <= 1


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_the_network_sees_known_entries_at_every_step(sampler: str) -> None:
    seen = []

    def spy(x, t, /):
        seen.append((int(t[0]), x[0, 0, 0].item()))
        return 0.5 * x

    known = Condition.fix_steps(torch.full((1, 1, 1), 0.25), horizon=2, dim=1)
    process, x = DiffusionProcess(NoiseSchedule(10)), torch.randn(1, 2, 1, generator=seeded())
    sample(process, spy, x, n_steps=4, sampler=sampler, condition=known, generator=seeded())
    times = [9, 6, 6, 3, 3, 0, 0] if sampler == "heun" else [9, 6, 3, 0]  # also where a step leads
    assert seen == [(time, 0.25) for time in times]


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_one_step_gives_the_predicted_window(gaussian, sampler: str, prediction_type) -> None:
    process = DiffusionProcess(NoiseSchedule(20), prediction_type)
    x, denoiser = torch.randn(3, 4, 2, generator=seeded()), gaussian(process, 0.3, 0.5)
    drawn = sample(process, denoiser, x, n_steps=1, sampler=sampler, eta=1.0, clip=None, generator=seeded())
    torch.testing.assert_close(drawn, process.denoise(denoiser, x, torch.full((3,), 19)))


def test_entries_are_bounded_only_on_demand() -> None:
    process, x = DiffusionProcess(NoiseSchedule(10)), torch.full((1, 2, 1), 2.0)

    def far(x, t, /):
        return torch.full_like(x, -7.0)

    assert sample(process, far, x, n_steps=3).flatten().tolist() == [-1.0, -1.0]
    assert sample(process, far, x, n_steps=3, clip=2.5).flatten().tolist() == [-2.5, -2.5]
    assert sample(process, far, x, n_steps=3, clip=None).flatten().tolist() == [-7.0, -7.0]


def test_a_warm_start_begins_at_its_own_time(gaussian) -> None:
    process = DiffusionProcess(NoiseSchedule(50))
    times = []

    def spy(x, t, /):
        times.append(int(t[0]))
        return gaussian(process, std=0.5)(x, t)

    clean = 0.5 * torch.randn(2000, 2, 1, generator=seeded())
    t = torch.full((2000,), 10)
    noisy = process.q_sample(clean, t, torch.randn(clean.shape, generator=seeded(1)))
    drawn = sample(process, spy, noisy, n_steps=11, start=10)
    assert times == list(range(10, -1, -1))
    # Little noise leaves most of the window that it began from: 0.80 for this signal and noise.
    correlation = torch.corrcoef(torch.stack([clean.flatten(), drawn.flatten()]))[0, 1]
    assert correlation.item() == pytest.approx(0.8, abs=0.03)
    assert drawn.std().item() == pytest.approx(0.5, rel=0.1)


def test_unknown_sampler() -> None:
    x = torch.zeros(1, 2, 1)
    with pytest.raises(ValueError, match=r"`sampler` must be one of \['ddim', .*\]\. Received 'leap'"):
        sample(DiffusionProcess(NoiseSchedule(10)), lambda x, t: x, x, n_steps=2, sampler="leap")


def test_more_steps_than_trained_times() -> None:
    x = torch.zeros(1, 2, 1)
    with pytest.raises(ValueError, match=r"`n_steps` must be in \[1, 10\].*Received 11"):
        sample(DiffusionProcess(NoiseSchedule(10)), lambda x, t: x, x, n_steps=11)
