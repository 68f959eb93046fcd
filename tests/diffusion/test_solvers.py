"""Solvers and schedules against a prior whose differential equation can be solved by hand."""

import pytest
import torch

from rlpriors.diffusion import (
    Condition,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    denoising_loss,
    sample,
)
from rlpriors.diffusion.samplers import Step
from rlpriors.diffusion.solvers import dpm_step, euler_step, heun_step

SCHEDULES = ["cosine", "linear", "edm", "rectified_flow"]
PREDICTIONS = ["epsilon", "sample", "v_prediction", "velocity", "edm"]
N_TIMES = 961  # so that 16, 31, 61 and 121 times are evenly spaced
MEAN, STD = 0.3, 0.5


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def solution(process: DiffusionProcess, x: torch.Tensor) -> torch.Tensor:
    """Where noise ends.  dy/dsigma = (y - m) sigma / (sigma^2 + s^2) has y - m grow as its root."""
    abar = process.schedule.alphas_cumprod[-1]
    y, sigma = x / abar.sqrt(), (1 / abar - 1).sqrt()
    return MEAN + (y - MEAN) * STD / (sigma**2 + STD**2).sqrt()


def error(gaussian, schedule, sampler: str, n_steps: int) -> float:
    process = DiffusionProcess(NoiseSchedule(N_TIMES, schedule)).double()
    x = noise(20, 2, 1)
    drawn = sample(process, gaussian(process, MEAN, STD), x, n_steps=n_steps, sampler=sampler, clip=None)
    return (drawn - solution(process, x)).abs().max().item()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("sampler", "order"), [("ddim", 1), ("euler", 1), ("heun", 2), ("dpm++2m", 2)])
def test_solvers_converge_at_their_order(gaussian, schedule, sampler: str, order: int) -> None:
    coarse, fine = (error(gaussian, schedule, sampler, n) for n in (61, 121))
    assert coarse / fine > 0.8 * 2**order  # not 0.9: the first steps of "rectified_flow" are bounded
    assert fine < 0.03 / order


@pytest.mark.parametrize("n_steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", ["heun", "dpm++2m"])
def test_few_steps_are_no_worse_than_straight_ones(gaussian, schedule, sampler: str, n_steps: int) -> None:
    """Without a bound on its correction, Heun's rule misses by thousands here."""
    straight = error(gaussian, schedule, "euler", n_steps)
    assert error(gaussian, schedule, sampler, n_steps) <= straight * (1 + 1e-9)


@pytest.mark.parametrize("n_steps", [4, 6, 10])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_heun_never_overshoots(gaussian, schedule, n_steps: int) -> None:
    assert error(gaussian, schedule, "heun", n_steps) <= error(gaussian, schedule, "euler", n_steps)


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", ["ddpm", "heun", "dpm++2m"])
def test_what_the_network_predicts_does_not_matter(gaussian, schedule, sampler: str, prediction_type) -> None:
    drawn = []
    for kind in (prediction_type, "sample"):
        process = DiffusionProcess(NoiseSchedule(20, schedule), kind).double()
        drawn.append(
            sample(
                process,
                gaussian(process, MEAN, STD),
                noise(3, 4, 2),
                n_steps=5,
                sampler=sampler,
                clip=None,
                generator=torch.Generator().manual_seed(1),
            )
        )
    torch.testing.assert_close(drawn[0], drawn[1])


@pytest.mark.parametrize("prediction_type", PREDICTIONS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_target_stands_for_the_clean_window(schedule, prediction_type) -> None:
    process = DiffusionProcess(NoiseSchedule(20, schedule), prediction_type).double()
    t, x, e = torch.arange(20), noise(20, 4, 3), noise(20, 4, 3, seed=1)
    x_t = process.q_sample(x, t, e)
    torch.testing.assert_close(process.predict_x_start(process.target(x, t, e), x_t, t), x)
    torch.testing.assert_close(process.predict_noise(x, x_t, t), e)


def step(**others) -> Step:
    # sigma from 3/4 (abar 0.64) to 1/3 (abar 0.9); y = x / 0.8 = 2.5, predicted clean window 1.
    x_t, abar_t, abar_s = (torch.full((1, 1, 1), value).double() for value in (2.0, 0.64, 0.9))
    clean = torch.ones_like(x_t)
    return Step(x_t, clean, abar_t, abar_s, noise=torch.full_like(x_t, 7.0), eta=1.0, **others)


def test_steps_by_hand() -> None:
    # Slope (2.5 - 1) / 0.75 = 2: y_s = 2.5 + 2 (1/3 - 3/4) = 5/3.
    straight = 5 / 3
    assert euler_step(step()).item() / 0.9**0.5 == pytest.approx(straight)
    assert heun_step(step()).item() / 0.9**0.5 == pytest.approx(straight)
    assert dpm_step(step()).item() / 0.9**0.5 == pytest.approx(straight)
    # There the network says 1.5.  The slope (5/3 - 1.5) / (1/3) = 1/2, mean 5/4, would lead to 2.5 - 25/48,
    # by 15/48 off the straight step; with 1.5 all the way it is 1.5 + 4/9, by 5/18 off: the bound.
    asked = []

    def again(x_s):
        asked.append(x_s.item() / 0.9**0.5)
        return torch.full_like(x_s, 1.5)

    assert heun_step(step(again=again)).item() / 0.9**0.5 == pytest.approx(straight + 5 / 18)
    assert asked == [pytest.approx(straight)]
    # To sigma 1/2 (abar 0.8), two thirds: straight on to 2, slope (2 - 1.5) / (1/2) = 1 there, mean 3/2.
    near = step(again=again)._replace(abar_s=torch.full((1, 1, 1), 0.8).double())
    assert heun_step(near).item() / 0.8**0.5 == pytest.approx(2.5 - 3 / 2 / 4)
    # Before, at sigma 27/16, it said 0.6.  Both steps are log(9/4) long: r = 1, D = 1.5 - 0.3 = 1.2,
    # and y_s = 4/9 * 2.5 + (1 - 4/9) * 1.2.
    before = torch.full((1, 1, 1), 0.6).double(), torch.full((1, 1, 1), 1 / (1 + (27 / 16) ** 2)).double()
    assert dpm_step(step(previous=before)).item() / 0.9**0.5 == pytest.approx(16 / 9)


def test_noisy_windows_by_hand() -> None:
    x, e, t = torch.full((1, 1, 1), 5.0), torch.full((1, 1, 1), 10.0), torch.tensor([0])
    flow = DiffusionProcess(NoiseSchedule(2, "rectified_flow"), "velocity")  # u = 0.4995, 0.999
    assert flow.q_sample(x, t, e).item() == pytest.approx(0.5005 * 5 + 0.4995 * 10)
    assert flow.target(x, t, e).item() == 5.0
    edm = DiffusionProcess(NoiseSchedule(2, "edm", sigma_range=(2.0, 10.0)), "edm", sigma_data=1.5)
    assert edm.q_sample(x, t, e).item() == pytest.approx(5 + 2 * 10)
    # sigma 2 and sigma_data 1.5: c_in 1 / 2.5, c_skip (1.5 / 2.5)^2, c_out 2 * 1.5 / 2.5.
    assert edm.target(x, t, e).item() == pytest.approx((5 - 0.36 * 25) / 1.2, rel=1e-5)
    assert edm.predict(lambda x, t: x, edm.q_sample(x, t, e), t).item() == pytest.approx(25 / 2.5)
    assert edm.from_noise(e).item() == pytest.approx(101**0.5 * 10)  # as good as sigma 10


def test_scaled_inputs_have_unit_variance_and_so_have_their_targets() -> None:
    process = DiffusionProcess(NoiseSchedule(5, "edm"), "edm", sigma_data=0.5).double()
    x, e = 0.5 * noise(5, 20_000, 1), noise(5, 20_000, 1, seed=1)
    t = torch.arange(5)
    seen = process.predict(lambda x, t: x, process.q_sample(x, t, e), t)
    torch.testing.assert_close(seen.std(1), torch.ones(5, 1).double(), atol=0.03, rtol=0)
    target = process.target(x, t, e)
    torch.testing.assert_close(target.std(1), torch.ones(5, 1).double(), atol=0.03, rtol=0)


def test_known_entries_are_not_scaled() -> None:
    process, seen = DiffusionProcess(NoiseSchedule(10, "edm"), "edm"), []

    def spy(x, t, /):
        seen.append(x[0, 0, 0].item())
        return torch.zeros_like(x)

    x = noise(2, 4, 1).float()
    known = Condition.fix_steps(torch.full((2, 1, 1), 0.25), horizon=4, dim=1)
    drawn = sample(process, spy, x, n_steps=4, sampler="heun", condition=known)
    denoising_loss(process, spy, x, t=torch.tensor([9, 9]), noise=x, condition=known)
    assert seen == [0.25] * 8
    assert drawn[:, 0].flatten().tolist() == [0.25, 0.25]


def test_karras_levels() -> None:
    _, sigma = NoiseSchedule(3, "edm", sigma_range=(1.0, 27.0), rho=3.0).coefficients(torch.arange(3))
    torch.testing.assert_close(sigma.flatten(), torch.tensor([1.0, 8.0, 27.0]))


def test_noisy_guidance_is_refused_where_noise_has_no_bound() -> None:
    process, x = DiffusionProcess(NoiseSchedule(10, "edm")), torch.zeros(1, 2, 1)
    settings = GuidanceSettings(space="noisy")
    with pytest.raises(ValueError, match=r'`guidance.space` "noisy" needs .*Received the schedule \'edm\''):
        sample(process, lambda x, t: x, x, n_steps=2, value=lambda x: x.sum((1, 2)), guidance=settings)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseSchedule(5, "edm", sigma_range=(2.0, 1.0)), r"`sigma_range` must be .*\(2\.0, 1\.0\)"),
        (lambda: NoiseSchedule(5, "edm", rho=0.0), r"`rho` must be positive\. Received 0\.0"),
        (lambda: DiffusionProcess(NoiseSchedule(5), sigma_data=0.0), r"`sigma_data` must be positive"),
    ],
)
def test_bad_settings(build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
