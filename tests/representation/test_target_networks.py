"""Target networks: updates of a moving average, and frozen copies."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TargetNetworkSettings, TrainingSettings
from rlpriors.representation.target_networks import ProjectedEncoder, TargetNetwork


def network() -> ProjectedEncoder:
    """Both parts with statistics of batches."""
    encoder = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    return ProjectedEncoder(encoder, nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))


def move(module: nn.Module, seed: int) -> None:
    """Set every number to a multiple of 4: halves and quarters of them are exact."""
    generator = torch.Generator().manual_seed(seed)
    for value in module.state_dict().values():
        value.copy_(4 * torch.randint(1, 1000, value.shape, generator=generator))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def average(target: TargetNetwork) -> nn.Module:
    assert target.average is not None
    return target.average.module


def test_the_first_update_of_a_moving_average_is_a_copy() -> None:
    online = network()
    target = TargetNetwork(online, TargetNetworkSettings("ema", decay=0.75))
    assert same(state(average(target)), state(online))
    move(online, 1)
    target.update(online, 0.1)
    assert same(state(average(target)), state(online))


@pytest.mark.parametrize(
    ("branch", "progress", "kept"),
    [
        (TargetNetworkSettings("ema", decay=0.75), 0.2, 0.75),
        (TargetNetworkSettings("ema", decay=0.5, final_decay=1.0), 0.5, 0.75),  # half way up
        (TargetNetworkSettings("ema", decay=0.5, final_decay=1.0), 1.0, 1.0),
        (TargetNetworkSettings("ema", decay=0.0), 0.3, 0.0),
    ],
)
def test_a_moving_average_takes_its_part_of_weights_and_of_buffers(
    branch: TargetNetworkSettings, progress: float, kept: float
) -> None:
    online = network()
    target = TargetNetwork(online, branch)
    move(online, 1)
    target.update(online, 0.0)
    before = state(average(target))
    move(online, 2)
    target.update(online, progress)
    new = state(online)
    expected = {name: kept * before[name] + (1 - kept) * new[name] for name in before}
    names = [f"{part}.{name}" for part in ("encoder.1", "projector.1") for name in ("weight", "running_var")]
    assert {*names, "encoder.1.num_batches_tracked"} <= set(expected)
    found = state(average(target))
    for name, value in expected.items():
        assert torch.equal(found[name], value.to(found[name].dtype)), name
    assert same(state(online), new)  # nothing goes back


def test_the_decay_rises_on_a_cosine() -> None:
    rising = TargetNetworkSettings("ema", decay=0.9, final_decay=1.0)
    # 1 - 0.1 (1 + cos(pi k)) / 2, as BYOL (2006.07733, sec. 3.2)
    wanted = {0.0: 0.9, 0.25: 1 - 0.05 * (1 + math.sqrt(0.5)), 0.5: 0.95, 1.0: 1.0, 1.5: 1.0}
    for progress, decay in wanted.items():
        assert rising.decay_at(progress) == pytest.approx(decay, abs=1e-12)
    falling = TargetNetworkSettings("ema", decay=0.8, final_decay=0.4)
    assert [falling.decay_at(part) for part in (0.0, 0.5, 1.0)] == pytest.approx([0.8, 0.6, 0.4])
    assert [TargetNetworkSettings("ema", decay=0.3).decay_at(part) for part in (0.0, 0.5, 1.0)] == [
        0.3,
        0.3,
        0.3,
    ]


def test_what_is_frozen_stays_as_it_was_whatever_is_asked_of_it() -> None:
    online = network()
    move(online, 1)
    target = TargetNetwork(online, TargetNetworkSettings("frozen"))
    before, x = state(average(target)), torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    _, y = target(online, x)
    move(online, 2)
    target.train()
    assert not any(module.training for module in average(target).modules())
    _, again = target(online, x)  # in training mode this would move statistics
    target.update(online, 0.5)
    assert same(state(average(target)), before)
    assert torch.equal(again, y)
    assert not again.requires_grad


def test_a_moving_average_follows_the_mode() -> None:
    target = TargetNetwork(network(), TargetNetworkSettings("ema"))
    assert all(module.training for module in average(target).modules())
    target.eval()
    assert not any(module.training for module in average(target).modules())


def test_a_frozen_branch_stays_through_training(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    recipe = replace(RECIPES["byol"](), target=TargetNetworkSettings("frozen"))
    settings = TrainingSettings(updates=3, batch_size=8)
    learner = RepresentationLearner(encoder, recipe, store, settings)
    start = state(average(learner.model.target))
    assert same(start, state(learner.model.online))
    for _ in range(3):
        learner.update()
    assert same(state(average(learner.model.target)), start)
    moved = dict(learner.model.online.named_parameters())
    assert not any(torch.equal(value, start[name]) for name, value in moved.items())


@pytest.mark.parametrize("kind", ["online", "stopgrad"])
def test_without_a_copy_targets_are_the_online_networks(kind: Any) -> None:
    online = network().eval()
    target = TargetNetwork(online, TargetNetworkSettings(kind))
    assert target.average is None
    x = torch.ones(5, 4)
    assert torch.equal(target(online, x)[1], online(x)[1])
    assert target(online, x)[1].requires_grad == (kind == "online")
    target.update(online, 0.5)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "emma"}, r"`kind` must be one of \['online', 'stopgrad', 'ema', 'frozen'\]\. .*'emma'"),
        ({"decay": 1.01}, r"`decay` must be in \[0, 1\]\. Received 1\.01"),
        ({"decay": -0.1}, r"`decay` must be in \[0, 1\]\. Received -0\.1"),
        ({"decay": math.nan}, r"`decay` must be a finite number\. Received nan"),
        ({"final_decay": 2.0}, r"`final_decay` must be in \[0, 1\]\. Received 2\.0"),
    ],
)
def test_fields_are_bounded(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TargetNetworkSettings(**changes)
