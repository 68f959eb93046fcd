"""check_support: does the prior know such trajectories?"""

import logging

import pytest

from rlpriors.agents import Support, check_support

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def test_held_out_data_of_the_same_kind_is_covered(walks, gaussian_policy, caplog) -> None:
    data = walks(n=100)
    support = check_support(gaussian_policy(data), data, walks(n=30, seed=5))
    assert support.coverage > 0.95
    assert support.sufficient
    assert support.demonstrations_residual == pytest.approx(support.data_residual, rel=0.2)
    assert not caplog.records


@pytest.mark.parametrize(("elsewhere", "least"), [({"center": 4.0}, 4.0), ({"drift": 1.0}, 1.5)])
def test_another_place_or_manner_is_not(walks, gaussian_policy, caplog, elsewhere, least: float) -> None:
    data = walks(n=100)
    with caplog.at_level(logging.WARNING):
        support = check_support(gaussian_policy(data), data, walks(n=30, seed=5, **elsewhere))
    assert support.coverage < 0.3
    assert not support.sufficient
    assert support.demonstrations_residual > least * support.data_residual
    (record,) = caplog.records
    assert record.name == "rlpriors.agents.irl.support"
    assert f"covers only {100 * support.coverage:.0f} % of the demonstrations' windows" in record.message
    assert "Add data that visits the same places" in record.message
    assert "train the prior longer" in record.message


def test_equal_seeds_agree(walks, gaussian_policy) -> None:
    data, demonstrations = walks(n=100), walks(n=30, seed=5)
    policy = gaussian_policy(data)
    one, two, other = (check_support(policy, data, demonstrations, n_windows=50, seed=s) for s in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("device", DEVICES)
def test_an_untrained_network_restores_nothing(walks, make_policy, device: str) -> None:
    data = walks()
    support = check_support(make_policy(data, device=device), data, data)
    assert support.data_residual > 0.1
    assert support.coverage == pytest.approx(0.99, abs=0.01)  # as bad on both


@pytest.mark.parametrize(("coverage", "sufficient"), [(0.79, False), (0.8, True), (1.0, True)])
def test_sufficient(coverage: float, sufficient: bool) -> None:
    assert Support(coverage, 0.1, 0.1).sufficient is sufficient


def test_demonstrations_of_another_environment(walks, make_policy) -> None:
    data = walks()
    with pytest.raises(ValueError, match=r"data's observations have 3 entries, .* was made for 2"):
        check_support(make_policy(data), data, walks(dim=3))


def test_demonstrations_that_are_too_short(walks, make_policy) -> None:
    data = walks()
    with pytest.raises(ValueError, match=r"`horizon` 8 with `stride` 1 must fit"):
        check_support(make_policy(data), data, walks(steps=7))
