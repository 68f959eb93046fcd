"""Guidance: gradients by hand, and a tilted prior whose mean is known."""

import pytest
import torch
from jaxtyping import config

from rlpriors.diffusion import DiffusionProcess, GuidanceSettings, NoiseSchedule, sample
from rlpriors.diffusion.guidance import (
    guide_clean,
    guide_noisy,
    smooth_clip,
    straight_through_clamp,
    value_gradient,
)
from rlpriors.networks import build_denoiser
from rlpriors.networks.mlp import build_mlp


def quadratic(x):
    return -(x - 1).square().sum((1, 2))


def test_gradient_of_a_quadratic_by_hand() -> None:
    x = torch.tensor([[[0.0], [1.0]], [[3.0], [-1.0]]])
    wanted = [[[2.0], [0.0]], [[-4.0], [4.0]]]  # -2 (x - 1), each row on its own
    assert value_gradient(quadratic, x).tolist() == wanted
    with torch.no_grad():
        assert value_gradient(quadratic, x).tolist() == wanted
    assert not value_gradient(quadratic, x.requires_grad_()).requires_grad


@pytest.mark.parametrize(
    "value",
    [lambda x: torch.zeros(len(x)), lambda x: (x.detach() > 0).float().sum((1, 2))],
    ids=["constant", "indicator"],
)
def test_a_value_without_a_gradient_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"`value` must be differentiable.*weight=0"):
        value_gradient(value, torch.zeros(1, 2, 1))


def test_smooth_clip_by_hand() -> None:
    gradient = torch.tensor([[[3.0], [4.0]]])  # of norm 5
    torch.testing.assert_close(smooth_clip(gradient, 5.0), gradient / 2**0.5)
    assert smooth_clip(gradient, None) is gradient


def test_smooth_clip_is_bounded_monotone_and_keeps_the_direction() -> None:
    direction = torch.nn.functional.normalize(
        torch.randn(6, generator=torch.Generator().manual_seed(0)), dim=0
    )
    lengths = torch.tensor([0.0, 1e-3, 0.1, 1.0, 6.0, 30.0, 1e3, 1e6])
    clipped = smooth_clip(lengths[:, None, None] * direction.reshape(3, 2), 6.0)
    norms = clipped.flatten(1).norm(dim=1)
    assert bool((norms <= 6.0 + 1e-5).all())
    assert bool((norms.diff() > 0).all())
    assert norms[1].item() == pytest.approx(1e-3)  # small ones pass as they are
    torch.testing.assert_close(clipped[1:], norms[1:, None, None] * direction.reshape(3, 2))


def test_pushes_by_hand() -> None:
    x, half = torch.zeros(1, 2, 1), torch.full((1, 1, 1), 0.5)
    settings = GuidanceSettings(weight=3.0, clip=None)
    # The gradient is 2 everywhere.
    assert guide_clean(quadratic, settings, x, abar=half / 2).flatten().tolist() == [3 * 0.75 * 2] * 2
    assert guide_noisy(quadratic, settings, x, variance=half).flatten().tolist() == [3 * 0.5 * 2] * 2


def test_straight_through_clamp() -> None:
    x = torch.tensor([-3.0, -0.5, 0.5, 3.0], requires_grad=True)
    clamped = straight_through_clamp(x, 1.0)
    assert clamped.tolist() == [-1.0, -0.5, 0.5, 1.0]
    clamped.sum().backward()
    assert x.grad.tolist() == [1.0] * 4


def shift(gaussian, std: float, sampler: str, **settings) -> torch.Tensor:
    """How far a linear value J = (0.2, -0.1, 0, 0.3) . x moves the mean of samples of N(0, std^2)."""
    process = DiffusionProcess(NoiseSchedule(50))
    slope = torch.tensor([[0.2, -0.1], [0.0, 0.3]])
    means = []
    for weight in (0.0, 1.0):
        generator = torch.Generator().manual_seed(0)
        drawn = sample(
            process,
            gaussian(process, std=std),
            torch.randn(500, 2, 2, generator=generator),
            n_steps=50,
            sampler=sampler,
            value=lambda x: (slope * x).sum((1, 2)),
            guidance=GuidanceSettings(weight=weight, clip=None, **settings),
            clip=None,
            generator=generator,
        )
        means.append(drawn.mean(0))
    # Both runs use the same noise and everything is linear: the difference has no sampling error.
    return (means[1] - means[0]).flatten()


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_clean_guidance_samples_the_tilted_prior(gaussian, sampler: str) -> None:
    # p(x) exp(a . x) of a standard normal p has mean a, and clean guidance is exact there.
    moved = shift(gaussian, 1.0, sampler, space="clean")
    torch.testing.assert_close(moved, torch.tensor([0.2, -0.1, 0.0, 0.3]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("std", [0.5, 1.0])
@pytest.mark.parametrize("space", ["clean", "noisy", "posterior"])
def test_guidance_moves_samples_along_the_gradient(gaussian, space, std: float, sampler: str) -> None:
    # Away from a standard normal the length is a rule of thumb (1.9 to 13 times std^2 a at std 0.5:
    # most in noisy space with DDIM, which keeps what was pushed into x_t); the direction is not.
    moved = shift(gaussian, std, sampler, space=space)
    torch.testing.assert_close(moved / moved[0], torch.tensor([1.0, -0.5, 0.0, 1.5]), atol=1e-3, rtol=0)
    assert moved[0] > 0.2 * std**2 - 1e-3


def test_noisy_guidance_stops_where_it_is_told(gaussian) -> None:
    def moved(**settings) -> float:
        return shift(gaussian, 1.0, "ddpm", space="noisy", **settings)[0].item()

    assert moved(stop_below=50) == 0.0
    assert 0 < moved(stop_below=25) < moved()
    assert moved(n_repeats=2) == pytest.approx(2 * moved(), rel=1e-4)


@pytest.mark.parametrize("space", ["clean", "noisy", "posterior"])
def test_no_gradient_reaches_the_networks(space) -> None:
    denoiser = build_denoiser("mlp", horizon=4, dim=2, width=8, blocks=1)
    judge = build_mlp(8, (8,), 1)
    calls = []

    def value(x):
        calls.append(x.requires_grad)
        return judge(x.flatten(1)).squeeze(1)

    with torch.no_grad():
        drawn = sample(
            DiffusionProcess(NoiseSchedule(10)),
            denoiser,
            torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0)),
            n_steps=2,
            value=value,
            guidance=GuidanceSettings(space=space),
        )
    assert calls == [True, True]
    assert not drawn.requires_grad
    assert all(p.grad is None for p in (*denoiser.parameters(), *judge.parameters()))


@pytest.mark.parametrize(
    ("field", "bad", "message"),
    [
        ("weight", -1.0, r"`weight` must be at least 0\. Received -1\.0"),
        ("clip", 0.0, r"`clip` must be positive or None\. Received 0\.0"),
        ("n_repeats", 0, r"`n_repeats` must be at least 1\. Received 0"),
        ("space", "latent", r"`space` must be one of \['clean', 'noisy', 'posterior'\]\. Received 'latent'"),
    ],
)
def test_bad_settings(field: str, bad, message: str, monkeypatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=message):
        GuidanceSettings(**{field: bad})
