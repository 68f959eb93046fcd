"""NoiseSchedule: noise levels by hand, and the times that are visited."""

from itertools import pairwise

import pytest
import torch
from jaxtyping import config

from rlpriors.diffusion import NoiseSchedule


def test_cosine_by_hand() -> None:
    # f(t) = cos^2((t + 0.008) / 1.008 * pi / 2) gives f(0) = 0.999845, f(1/2) = 0.493766, f(1) = 0:
    # abar_0 = f(1/2) / f(0), and the last step would lose everything but is held at a ratio of 0.001.
    abar = NoiseSchedule(2, "cosine").alphas_cumprod
    torch.testing.assert_close(abar, torch.tensor([0.493843, 0.000493843]), atol=1e-6, rtol=1e-5)


def test_linear_by_hand() -> None:
    # 100 steps of ten times the noise: beta_0 = 0.001, beta_1 = 0.001 + 0.199 / 99 = 0.0030101.
    abar = NoiseSchedule(100, "linear").alphas_cumprod
    torch.testing.assert_close(abar[:2], torch.tensor([0.999, 0.999 * 0.9969899]), atol=1e-6, rtol=0)


def test_linear_over_a_thousand_steps_is_the_papers() -> None:
    # arXiv 2006.11239: beta from 1e-4 to 0.02, abar at the end about 4e-5.
    abar = NoiseSchedule(1000, "linear").alphas_cumprod
    assert abar[0].item() == pytest.approx(0.9999)
    assert abar[-1].item() == pytest.approx(4.036e-5, rel=1e-3)


@pytest.mark.parametrize("beta_schedule", ["cosine", "linear"])
@pytest.mark.parametrize("n", [2, 10, 50, 1000])
def test_noise_grows_strictly_from_little_to_nearly_all(beta_schedule, n: int) -> None:
    abar = NoiseSchedule(n, beta_schedule).alphas_cumprod
    assert abar.shape == (n,)
    assert abar.dtype == torch.float32
    assert bool((abar.diff() < 0).all())
    assert 0 < abar[-1] < 1e-3
    assert abar[0] < 1


def test_at_gives_a_level_for_each_row_and_no_noise_before_the_first() -> None:
    schedule = NoiseSchedule(10)
    levels = schedule.at(torch.tensor([-1, 0, 9]))
    assert levels.shape == (3, 1, 1)
    assert levels.flatten().tolist() == [1.0, schedule.alphas_cumprod[0], schedule.alphas_cumprod[9]]


@pytest.mark.parametrize(
    ("n_steps", "start", "times"),
    [
        (1, None, [9]),
        (2, None, [9, 0]),
        (4, None, [9, 6, 3, 0]),
        (10, None, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (3, 4, [4, 2, 0]),
        (8, 2, [2, 1, 0]),  # no more times than there are
        (5, 0, [0]),
    ],
)
def test_timesteps(n_steps: int, start: int | None, times: list[int]) -> None:
    assert NoiseSchedule(10).timesteps(n_steps, start) == times


def test_timesteps_never_repeat() -> None:
    schedule = NoiseSchedule(50)
    for n_steps in range(2, 51):
        times = schedule.timesteps(n_steps)
        assert len(times) == n_steps
        assert (times[0], times[-1]) == (49, 0)
        assert all(later < earlier for earlier, later in pairwise(times))


def test_levels_are_not_saved_with_the_weights_of_the_owner() -> None:
    assert not NoiseSchedule(10).state_dict()


def test_one_level_is_no_schedule() -> None:
    with pytest.raises(ValueError, match=r"`num_train_timesteps` must be at least 2\. Received 1"):
        NoiseSchedule(1)


def test_unknown_schedule(monkeypatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"`beta_schedule` must be one of .*cosine.*\. Received 'sqrt'"):
        NoiseSchedule(10, "sqrt")


@pytest.mark.parametrize(
    ("n_steps", "start", "message"),
    [
        (0, None, r"`n_steps` must be in \[1, 10\].*Received 0"),
        (11, None, r"`n_steps` must be in \[1, 10\].*Received 11"),
        (2, 10, r"`start` must be in \[0, 9\]\. Received 10"),
        (2, -1, r"`start` must be in \[0, 9\]\. Received -1"),
    ],
)
def test_times_outside_the_schedule(n_steps: int, start: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoiseSchedule(10).timesteps(n_steps, start)


def test_noise_below_rounding_error_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`sigma_range` must begin above rounding error"):
        NoiseSchedule(10, "edm", sigma_range=(1e-4, 80.0))
    with pytest.raises(ValueError, match=r"`rho` must be positive\. Received nan"):
        NoiseSchedule(10, "edm", rho=float("nan"))
