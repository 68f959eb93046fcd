"""Benchmark of samplers: the mixture's exact denoiser and the distance."""

import pytest
import torch
from benchmarks.diffusion.mixture import RING, Mixture, sliced_distance
from benchmarks.diffusion.samplers import kept_std

from rlpriors.diffusion import DiffusionProcess, NoiseSchedule


def test_the_exact_denoiser_of_a_mixture_by_hand() -> None:
    process = DiffusionProcess(NoiseSchedule(50))
    pair = Mixture(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), std=0.0)
    t = torch.tensor([25])
    signal, noise = (level.item() for level in process.schedule.coefficients(t))
    x = torch.tensor([[[0.3, 0.1]]])
    # Two points at 1 and -1: the mean is tanh(signal x / noise^2).
    expected = torch.tensor([[[signal * 0.3 / noise**2, 0.0]]]).tanh()
    torch.testing.assert_close(pair.denoiser(process)(x, t), expected)
    with pytest.raises(ValueError, match=r'prediction type "sample".*epsilon'):
        RING.denoiser(DiffusionProcess(NoiseSchedule(50), "epsilon"))


def test_the_sliced_distance_of_a_shift() -> None:
    points = RING.draw(500, torch.Generator().manual_seed(0))
    assert sliced_distance(points, points) == 0
    # A shift by 1 moves each projection by |cos|, whose mean over all directions is 2 / pi.
    moved = points + torch.tensor([1.0, 0.0])
    assert sliced_distance(moved, points) == pytest.approx(0.6366, abs=0.001)


def test_many_steps_keep_the_spread() -> None:
    process = DiffusionProcess(NoiseSchedule(50))
    assert kept_std(process, "heun", 32) == pytest.approx(1, abs=0.03)
    assert kept_std(process, "ddim", 8) < 0.8
