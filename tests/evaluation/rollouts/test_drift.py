"""Drift away from the demonstrations in sequences whose course is known."""

import numpy as np
import pytest

from rlpriors.evaluation.rollouts.drift import drift_finding, find_drift

TIME = np.linspace(0, 1, 200)
NEARER = 2 - 1.5 * TIME
AWAY = np.abs(2 - 6 * TIME) + 0.5  # nearest after a third
NOISE = np.random.default_rng(0).normal(size=200)


@pytest.mark.parametrize(
    ("returns", "distances", "drifts"),
    [
        (TIME, NEARER, False),
        (TIME, AWAY, True),
        (TIME, TIME, True),  # away from the beginning on
        (-TIME, AWAY, False),  # the learned return falls: no exploit, a failed training
        (np.minimum(TIME, 1 / 3), AWAY, False),  # it does not rise after the nearest part
        (TIME, np.full(200, 0.5) + 0.04 * NOISE, False),
        (TIME, 0.5 + 0.05 * TIME, False),  # less than a quarter
        (TIME, 0.05 * TIME, False),  # more than a quarter, less than 0.1
        (TIME, 1 + 4 * NOISE, False),  # within the noise
    ],
)
def test_a_drift_needs_a_rising_return_and_a_growing_distance(returns, distances, drifts):
    found = find_drift(returns, distances)
    assert (found is not None) == drifts
    assert drift_finding(returns, distances).level == ("bad" if drifts else "good")


def test_the_ends_of_a_drift():
    returns, distances = np.repeat(np.arange(10.0), 2), np.repeat([3.0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 2)
    assert find_drift(returns, distances) == (1, 9, 1, 9)
    assert drift_finding(returns, distances).value == "1.00 to 9.00"


def test_few_episodes_say_nothing():
    assert find_drift(TIME[:19], TIME[:19]) is None
    assert drift_finding(TIME[:0], TIME[:0]).value == "none"
    with pytest.raises(ValueError, match=r"one number for each episode, 3\. Received 2"):
        find_drift(TIME[:3], TIME[:2])
