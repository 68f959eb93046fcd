"""TrajectoryValue: a number by hand, its files, and the windows it refuses."""

import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings


def test_by_hand() -> None:
    value = TrajectoryValue(TrajectoryValueSettings(horizon=2, dim=2, hidden=(1,)))
    first, _, last = value.net
    first.weight.data, first.bias.data = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([-5.0])
    last.weight.data, last.bias.data = torch.tensor([[2.0]]), torch.tensor([1.0])
    x = torch.tensor([[[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]])
    assert value(x).tolist() == [11.0, 1.0]  # 2 relu(10 - 5) + 1, and 2 relu(1 - 5) + 1


def test_the_default_is_the_one_for_a_small_maze() -> None:
    value = TrajectoryValue(TrajectoryValueSettings(horizon=128, dim=6))
    weights = [p for name, p in value.named_parameters() if name.endswith("weight")]
    assert [tuple(w.shape) for w in weights] == [(384, 768), (128, 384), (64, 128), (1, 64)]


def test_a_loaded_value_scores_equally(tmp_path) -> None:
    value = TrajectoryValue(TrajectoryValueSettings(horizon=4, dim=3, hidden=(8, 4)))
    loaded = TrajectoryValue.load(value.save(tmp_path), device="cpu")
    x = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    assert loaded(x).equal(value(x))
    assert loaded.settings == value.settings
    assert not loaded.training


def test_a_reward_is_no_value(tmp_path) -> None:
    MLPReward(RewardSettings(2, 1)).save(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"must be of one of \['TrajectoryValue'\]. Received 'MLPReward'"
    ):
        TrajectoryValue.load(tmp_path, device="cpu")


def test_windows_of_another_size_are_refused() -> None:
    value = TrajectoryValue(TrajectoryValueSettings(horizon=4, dim=3))
    with pytest.raises(ValueError, match=r"`x` must be \[batch, 4, 3\].*Received shape \(2, 5, 3\)"):
        value(torch.zeros(2, 5, 3))


@pytest.mark.parametrize(
    ("change", "name"),
    [({"horizon": 0}, "horizon"), ({"dim": 0}, "dim"), ({"hidden": (3, 0)}, r"hidden\[1\]")],
)
def test_settings_have_bounds(change: dict, name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1. Received 0"):
        TrajectoryValueSettings(**{"horizon": 2, "dim": 2, **change})
