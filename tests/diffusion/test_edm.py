"""EDM with continuous noise levels: numbers worked by hand, and a normal distribution in closed form."""

import math

import pytest
import torch
from torch import Tensor

from rlpriors.diffusion import Condition
from rlpriors.diffusion.edm import EDM, SIGMA_SAMPLERS, exponential_sigmas, log_logistic

MEAN, STD = 0.3, 0.5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """Expectation of x_0 given x for x_0 ~ N(MEAN, STD^2)."""
    return (STD**2 * x + sigma**2 * MEAN) / (STD**2 + sigma**2)


def zeros(x: Tensor, c_noise: Tensor) -> Tensor:
    return torch.zeros_like(x)


# ---------------------------------------------------------------- preconditioning


def test_coefficients_by_hand() -> None:
    # sigma 1.2, sigma_data 0.5: the root of 1.44 + 0.25 is 1.3.
    c_in, c_skip, c_out, c_noise = EDM(0.5, (0.01, 2.0)).coefficients(torch.tensor([1.2]))
    assert c_in.item() == pytest.approx(1 / 1.3)
    assert c_skip.item() == pytest.approx(0.25 / 1.69)
    assert c_out.item() == pytest.approx(0.6 / 1.3)
    assert c_noise.item() == pytest.approx(math.log(1.2) / 4)


def test_inputs_and_targets_have_variance_one() -> None:
    edm = EDM(STD, (0.01, 10.0))
    clean = STD * torch.randn(200_000, 1, 1, generator=generator())
    for level in (0.05, 0.5, 5.0):
        sigma = torch.full((len(clean),), level)
        x = clean + level * torch.randn(clean.shape, generator=generator(1))
        c_in, c_skip, c_out, _ = edm.coefficients(sigma[:1])
        assert (c_in * x).var().item() == pytest.approx(1, abs=0.02)
        assert ((clean - c_skip * x) / c_out).var().item() == pytest.approx(1, abs=0.02)


def test_loss_by_hand() -> None:
    # x_0 1, noise 1, sigma 1.2: x 2.2, target (1 - 2.2 * 0.25 / 1.69) / (0.6 / 1.3).
    edm = EDM(0.5, (0.01, 2.0))
    ones, sigma = torch.ones(1, 2, 1), torch.tensor([1.2])
    target = (1 - 2.2 * 0.25 / 1.69) / (0.6 / 1.3)
    loss = edm.loss(zeros, ones, sigma=sigma, noise=ones)
    assert loss.item() == pytest.approx(target**2)
    # A second window entry with another error, weight 0: the mean stays that of the first.
    noise = torch.tensor([[[1.0], [-3.0]]])
    weight = torch.tensor([[[1.0], [0.0]]])
    assert edm.loss(zeros, ones, sigma=sigma, noise=noise, weight=weight).item() == pytest.approx(target**2)


def test_known_entries_are_neither_noised_nor_scaled_nor_counted() -> None:
    edm, seen = EDM(0.5, (0.01, 2.0)), []

    def network(x: Tensor, c_noise: Tensor) -> Tensor:
        seen.append(x)
        return torch.zeros_like(x)

    known = Condition.fix_steps(torch.full((1, 1, 1), 7.0), horizon=2, dim=1)
    start, noise = torch.tensor([[[7.0], [1.0]]]), torch.ones(1, 2, 1)
    loss = edm.loss(network, start, sigma=torch.tensor([1.2]), noise=noise, condition=known)
    assert seen[0].flatten().tolist() == pytest.approx([7.0, 2.2 / 1.3])
    assert loss.item() == pytest.approx(((1 - 2.2 * 0.25 / 1.69) / (0.6 / 1.3)) ** 2)
    sampled = edm.sample(network, noise, condition=known, n_steps=3)
    assert sampled[0, 0].item() == 7.0
    assert all(x[0, 0].item() == 7.0 for x in seen)


def test_the_network_of_a_denoiser_is_its_inverse() -> None:
    edm, x = EDM(0.7, (0.01, 10.0)), torch.randn(5, 2, 3, generator=generator())
    sigma = torch.linspace(0.05, 5, 5)
    clean = edm.denoise(edm.network_of(gaussian), x, sigma)
    torch.testing.assert_close(clean, gaussian(x, sigma[:, None, None]))


# ---------------------------------------------------------------- noise levels


def test_noise_levels_of_training_are_log_logistic() -> None:
    # Without bounds that matter, 1/2 of ln(sigma) lies below loc and 3/4 below loc + scale ln 3.
    draws = log_logistic(100_000, math.log(0.4), 0.5, (1e-6, 1e6), generator()).log()
    for quantile, value in ((0.25, -0.5 * math.log(3)), (0.5, 0.0), (0.75, 0.5 * math.log(3))):
        assert (draws < math.log(0.4) + value).float().mean().item() == pytest.approx(quantile, abs=0.01)
    cut = log_logistic(10_000, math.log(0.4), 0.5, (0.2, 0.5), generator())
    assert 0.2 <= cut.min() < 0.21
    assert 0.49 < cut.max() <= 0.5


def test_noise_levels_of_sampling_by_hand() -> None:
    assert exponential_sigmas(3, (0.25, 4.0)) == pytest.approx([4.0, 1.0, 0.25, 0.0])
    assert exponential_sigmas(1, (0.25, 4.0)) == [4.0, 0.0]


# ---------------------------------------------------------------- sampling


@pytest.mark.parametrize("sampler", SIGMA_SAMPLERS)
def test_an_exact_denoiser_returns_mean_and_standard_deviation(sampler: str) -> None:
    edm, noise = EDM(STD, (0.002, 80.0)), torch.randn(20_000, 1, 1, generator=generator())
    drawn = edm.sample(
        edm.network_of(gaussian), noise, n_steps=200, sampler=sampler, generator=generator(1)
    ).flatten()
    assert drawn.mean().item() == pytest.approx(MEAN, abs=0.015)
    assert drawn.std().item() == pytest.approx(STD, rel=0.03)


def test_a_step_of_ddim_by_hand() -> None:
    # (x' - m) / (x - m) = (s^2 + sigma sigma') / (s^2 + sigma^2) for a normal distribution.
    edm, noise = EDM(STD, (0.25, 4.0)), torch.tensor([[[2.0]]])
    expected = 4.0 * 2.0 - MEAN
    for now, then in ((4.0, 1.0), (1.0, 0.25), (0.25, 0.0)):
        expected *= (STD**2 + now * then) / (STD**2 + now**2)
    drawn = edm.sample(edm.network_of(gaussian), noise, n_steps=3)
    assert drawn.item() == pytest.approx(MEAN + expected, rel=1e-5)


def test_a_step_of_euler_ancestral_by_hand() -> None:
    # From sigma 5 to 3 with x 10 and x_0 1: 1 + 9 * 9 / 25 + 3 * 0.8 * noise.
    ten, one, noise = torch.tensor(10.0), torch.tensor(1.0), torch.tensor(0.5)
    moved = SIGMA_SAMPLERS["euler_ancestral"](ten, one, 5.0, 3.0, noise)
    assert moved.item() == pytest.approx(1 + 9 * 9 / 25 + 3 * 0.8 * 0.5)


def test_draws_depend_on_the_generator_alone() -> None:
    edm, noise = EDM(STD, (0.01, 1.0)), torch.ones(3, 2, 1)
    draws = []
    for seed in (0, 0, 1):
        torch.rand(1)
        network = edm.network_of(gaussian)
        draws.append(edm.sample(network, noise, sampler="euler_ancestral", generator=generator(seed)))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma_data": 0.0}, r"`sigma_data` must be positive\. Received 0\.0"),
        ({"sigma_range": (1.0, 0.1)}, "`sigma_range` must be two rising positive numbers"),
    ],
)
def test_settings_outside_their_bounds(settings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EDM(**settings)


def test_arguments_outside_their_bounds() -> None:
    edm, noise = EDM(), torch.ones(1, 2, 1)
    with pytest.raises(ValueError, match=r"`sampler` must be one of \['ddim', 'euler_ancestral'\]"):
        edm.sample(zeros, noise, sampler="heun")
    with pytest.raises(ValueError, match="`n_steps` must be at least 1"):
        edm.sample(zeros, noise, n_steps=0)
    with pytest.raises(ValueError, match="`scale` must be positive"):
        log_logistic(3, 0.0, 0.0, (0.1, 1.0))
