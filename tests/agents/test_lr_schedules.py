"""CosineSchedule: rates by hand, and on a real optimizer."""

from math import cos, pi

import pytest
import torch

from rlpriors.agents import CosineSchedule


def test_rates_by_hand() -> None:
    schedule = CosineSchedule(10, warm_up=2, final=0.1)
    assert schedule.factor(0) == 0.5
    assert schedule.factor(1) == 1.0
    assert schedule.factor(2) == 1.0
    assert schedule.factor(6) == pytest.approx(0.1 + 0.9 * 0.5)
    assert schedule.factor(4) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + cos(pi / 4)))
    assert schedule.factor(10) == pytest.approx(0.1)
    assert schedule.factor(1000) == pytest.approx(0.1)


def test_without_warm_up_the_full_rate_comes_first() -> None:
    assert CosineSchedule(10).factor(0) == 1.0


def test_an_optimizer_follows_and_goes_on_after_loading() -> None:
    def build():
        optim = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
        return optim, CosineSchedule(8, warm_up=2).create_scheduler(optim)

    optim, scheduler = build()
    rates = []
    for _ in range(10):
        rates.append(optim.param_groups[0]["lr"])
        optim.step()
        scheduler.step()
    assert rates == pytest.approx([2 * CosineSchedule(8, warm_up=2).factor(i) for i in range(10)])

    first, saved = build()
    for _ in range(3):
        first.step()
        saved.step()
    second, loaded = build()
    loaded.load_state_dict(saved.state_dict())
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == rates[3]
    second.step()
    loaded.step()
    assert second.param_groups[0]["lr"] == rates[4]


@pytest.mark.parametrize(
    "arguments", [{"n_updates": 0}, {"n_updates": 5, "warm_up": 5}, {"n_updates": 5, "warm_up": -1}]
)
def test_bad_counts(arguments) -> None:
    with pytest.raises(ValueError, match=r"`n_updates` must be at least 1 and `warm_up` less"):
        CosineSchedule(**arguments)


@pytest.mark.parametrize("final", [-0.1, 1.5])
def test_bad_end(final: float) -> None:
    with pytest.raises(ValueError, match=rf"`final` must be in \[0, 1\]\. Received {final}"):
        CosineSchedule(10, final=final)
