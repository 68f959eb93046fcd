"""Frames: where things lie in a window, and what a reward says of it."""

import numpy as np
import pytest
import torch

from rlpriors.agents import TrajectoryLayout
from rlpriors.data.normalize import Normalizer
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def identity(horizon: int = 3, obs: int = 2, act: int = 1) -> TrajectoryLayout:
    return TrajectoryLayout(horizon, 1, Normalizer.identity(obs), Normalizer.identity(act))


def test_fit_maps_the_data_to_one(walks) -> None:
    data = walks()
    layout = TrajectoryLayout.fit(data, horizon=8, stride=2)
    assert (layout.dim, layout.obs_dim, layout.horizon, layout.stride) == (4, 2, 8, 2)
    x = layout.obs(torch.from_numpy(data.obs))
    torch.testing.assert_close(x.amin(0), -torch.ones(2))
    torch.testing.assert_close(x.amax(0), torch.ones(2))
    assert layout.act(torch.from_numpy(data.act)).abs().max() <= 1 + 1e-6
    assert layout.normalizer.dim == 4


@pytest.mark.parametrize("stride", [1, 2])
def test_unpack_undoes_pack(walks, stride: int) -> None:
    data = walks()
    layout = TrajectoryLayout.fit(data, horizon=4, stride=stride)
    window = data.windows(data.window_starts(4, stride), 4, stride)
    x = layout.pack(window)
    assert x.shape == (len(window.obs), 4, 4)
    obs, act = layout.unpack(x)
    torch.testing.assert_close(obs, window.obs, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(act, window.act, atol=1e-6, rtol=1e-5)


def test_pack_by_hand() -> None:
    obs = Normalizer(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0]))
    layout = TrajectoryLayout(2, 1, obs, Normalizer(torch.tensor([0.0]), torch.tensor([0.5])))
    data = torch.tensor([[[3.0, 4.0], [5.0, 6.0]]]), torch.tensor([[[1.0], [-1.0]]])
    assert torch.cat([layout.obs(data[0]), layout.act(data[1])], -1).tolist() == [
        [[1.0, 4.0, 2.0], [2.0, 6.0, -2.0]]
    ]
    assert layout.start(torch.tensor([[3.0, 4.0]])).value[0].tolist() == [[1.0, 4.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_start_knows_the_observation_and_not_the_action() -> None:
    mask = identity().start(torch.zeros(1, 2)).mask[0]
    assert mask.int().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_rewards_by_hand() -> None:
    obs = Normalizer(torch.zeros(1), torch.tensor([10.0]))
    layout = TrajectoryLayout(3, 1, obs, Normalizer.identity(1))
    # Observations 0, 20, 50 and 10, 10, 0 in raw units; the last action begins no transition.
    x = torch.tensor([[[0.0, 1.0], [2.0, 2.0], [5.0, 9.0]], [[1.0, 3.0], [1.0, 4.0], [0.0, 9.0]]])
    seen = []

    def progress(obs, act, obs_next, terminated, /):
        seen.append((act.flatten().tolist(), terminated.any().item(), terminated.dtype))
        return obs_next[:, 0] - obs[:, 0]

    assert layout.rewards(progress, x).tolist() == [[20.0, 30.0], [0.0, -10.0]]
    assert seen == [([1.0, 2.0, 3.0, 4.0], False, torch.bool)]
    assert layout.value(progress)(x).tolist() == [50.0, -10.0]


def test_a_value_of_whole_windows_is_one_reward() -> None:
    layout, value = identity(), TrajectoryValue(TrajectoryValueSettings(3, 3, (8,)))
    x = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layout.rewards(value, x), value(x)[:, None])
    assert torch.equal(layout.value(value)(x), value(x))


def test_the_values_gradient_is_in_normalized_units() -> None:
    layout = TrajectoryLayout(2, 1, Normalizer(torch.zeros(1), torch.tensor([10.0])), Normalizer.identity(1))
    x = torch.zeros(1, 2, 2, requires_grad=True)
    layout.value(lambda obs, act, obs_next, end: obs[:, 0] + 3 * act[:, 0])(x).sum().backward()
    assert x.grad.tolist() == [[[10.0, 3.0], [0.0, 0.0]]]


@pytest.mark.parametrize(
    ("horizon", "stride", "message"),
    [
        (1, 1, r"`horizon` must be at least 2\. Received 1"),
        (2, 0, r"`stride` must be at least 1\. Received 0"),
    ],
)
def test_bad_sizes(horizon: int, stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrajectoryLayout(horizon, stride, Normalizer.identity(1), Normalizer.identity(1))


def test_windows_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="must have 2 entries along its last axis"):
        identity().start(torch.zeros(1, 3))


def test_normalizers_are_in_the_state(walks) -> None:
    fitted = TrajectoryLayout.fit(walks(), horizon=3)
    fresh = identity(act=2)
    fresh.load_state_dict(fitted.state_dict())
    assert np.array_equal(fresh.normalizer.scale, fitted.normalizer.scale)
