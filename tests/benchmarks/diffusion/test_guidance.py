"""Benchmark of guidance: exact shifts, and a table of all cases."""

import pytest
from benchmarks.diffusion import guidance
from benchmarks.diffusion.gaussians import WINDOWS
from benchmarks.tables import read_csv

from rlpriors.diffusion import SAMPLERS, DiffusionProcess, NoiseSchedule


def test_clean_guidance_is_exact_for_independent_entries_of_variance_1() -> None:
    process, windows = DiffusionProcess(NoiseSchedule(50)), WINDOWS["independent"]
    shifts = guidance.fractions(windows, windows.denoiser(process), process, space="clean", sampler="ddim")
    assert shifts == pytest.approx([1.0], abs=1e-3)


def test_the_published_rows_are_complete_and_exact_for_posterior_guidance() -> None:
    rows = read_csv(guidance.RESULTS)
    cells = {(*row[:5], row[6]): float(row[7]) for row in rows}
    # Four Gaussians or entries, with two standard deviations for the exact denoiser and one for networks.
    assert len(cells) == len(rows) == (2 + 1) * 4 * 3 * len(SAMPLERS)
    exact = [value for key, value in cells.items() if key[0] == "exact" and key[3] == "posterior"]
    trained = [value for key, value in cells.items() if key[0] == "trained" and key[3] == "posterior"]
    assert 0.95 < min(exact) <= max(exact) < 1.05
    assert 0.7 < min(trained) <= max(trained) < 1.3
