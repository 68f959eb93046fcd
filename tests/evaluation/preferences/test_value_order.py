"""Value-Order Correlation: ranks by hand, successes only, intervals."""

import numpy as np
import pytest
from homing_pairs import ramp

from rlpriors.evaluation.preferences.value_order import value_order, value_order_correlation


def test_rank_correlations_by_hand() -> None:
    assert value_order_correlation([1.0, 10.0, 100.0]) == 1  # monotone, not linear
    assert value_order_correlation([3.0, 2.0, 1.0]) == -1
    # Ranks 1, 2, 4, 3: one minus 6 * (1 + 1) / (4 * 15).
    assert value_order_correlation([0.0, 1.0, 3.0, 2.0]) == pytest.approx(1 - 12 / 60)
    # Ranks 1.5, 1.5, 3: the covariance with 0, 1, 2 over both deviations.
    assert value_order_correlation([0.0, 0.0, 1.0]) == pytest.approx(0.75**0.5)
    assert value_order_correlation([2.0, 2.0, 2.0]) == 0


def test_only_successful_episodes_count() -> None:
    data = ramp()  # rising in the first episode, falling in the second

    def reward(obs, act, obs_next, end):
        return obs[:, 0]

    assert value_order(reward, data, [True, False]).each == (1.0,)
    both = value_order(reward, data)
    assert both.each == (1.0, -1.0)
    assert both.mean.estimate == 0
    assert (both.mean.low, both.mean.high) == (-1, 1)


def test_errors() -> None:
    with pytest.raises(ValueError, match="at least 3 finite"):
        value_order_correlation([0.0, 1.0])
    with pytest.raises(ValueError, match="one boolean for each of the 2"):
        value_order(lambda o, a, n, t: o[:, 0], ramp(), np.array([True]))
    with pytest.raises(ValueError, match="0 successful episodes of 2"):
        value_order(lambda o, a, n, t: o[:, 0], ramp(), [False, False])
