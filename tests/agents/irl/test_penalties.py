"""Penalties of a linear reward, against numbers worked out by hand."""

import pytest
import torch
from linear_rewards import linear_reward

from rlpriors.agents import TrajectoryLayout
from rlpriors.agents.irl.penalties import add_penalties, window_variation
from rlpriors.agents.irl.settings import DiffusionIRLSettings
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data import Normalizer
from rlpriors.rewards.losses import temporal_variation
from rlpriors.types import Window

OFF = {"gradient_penalty": 0.0, "magnitude_penalty": 0.0, "slowness_penalty": 0.0}


@pytest.fixture
def layout() -> TrajectoryLayout:
    return TrajectoryLayout(3, 1, Normalizer.identity(1), Normalizer.identity(1))


def penalties(layout: TrajectoryLayout, sample_data=None, **weights: float) -> tuple[float, float]:
    expert = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    samples = torch.tensor([[[0.0, 0.0], [0.5, 0.0], [0.5, 0.0]]])
    loss, slope = add_penalties(
        torch.tensor(1.0),
        linear_reward(3.0),
        layout,
        DiffusionIRLSettings(**(OFF | weights)),
        expert=expert,
        samples=samples,
        variation=torch.tensor([2.0, 4.0]),
        sample_data=sample_data,
        generator=torch.Generator().manual_seed(0),
    )
    return loss.item(), slope


def test_weights_of_zero_leave_the_loss(layout) -> None:
    assert penalties(layout) == (1.0, 0.0)


def test_the_gradient_penalty_is_the_squared_slope_of_all_steps(layout) -> None:
    # Two transitions read an observation each, with slope 3: 9 + 9.
    loss, slope = penalties(layout, gradient_penalty=0.1, temporal_variation_exponent=0.0)
    assert (loss, slope) == (pytest.approx(2.8), pytest.approx(18.0))


def test_the_variation_is_relative_to_that_of_observations(layout) -> None:
    # The only observation entry has the mean variation of observations, hence the weight 1.
    assert penalties(layout, gradient_penalty=0.1, temporal_variation_exponent=1.0)[1] == pytest.approx(18.0)


def test_the_slowness_penalty_reads_the_data_if_it_is_there(layout) -> None:
    # Rewards 0 and 1.5 of the negatives; 0 and 3 of the data.
    assert penalties(layout, slowness_penalty=2.0)[0] == pytest.approx(1 + 2 * 1.5**2)
    data = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]])
    received = []
    loss, _ = penalties(layout, lambda n: received.append(n) or data, slowness_penalty=2.0)
    assert (loss, received) == (pytest.approx(1 + 2 * 9), [1])


def test_the_magnitude_penalty_reads_uniform_windows(layout) -> None:
    uniform = 2 * torch.rand(1, 3, 2, generator=torch.Generator().manual_seed(0)) - 1
    expected = (3 * uniform[0, :2, 0]).square().mean().item()
    assert penalties(layout, magnitude_penalty=1.0)[0] == pytest.approx(1 + expected)


def test_the_variation_of_windows_is_that_of_all_of_them(walks) -> None:
    data = walks(n=3, steps=12)
    layout = TrajectoryLayout.fit(data, horizon=8)
    starts = data.window_starts(8, 1)
    expected = temporal_variation(layout.pack(Window(*data.windows(starts, 8, 1))))
    windows = WindowBuffer(data, 8, 1, None, 0)
    torch.testing.assert_close(window_variation(windows, layout, 0, torch.device("cpu")), expected)
