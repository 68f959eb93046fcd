"""Answers from true rewards: order, ties, errors, rules."""

import numpy as np
import pytest
from comparisons import counting_store

from rlpriors.preferences import Clip, Label, OracleLabeler, cut_clip

STORE = counting_store((60,))


def clip(start: int, length: int = 3) -> Clip:
    return cut_clip(STORE, 0, start, length)


def test_the_larger_return_is_better() -> None:
    oracle = OracleLabeler()
    assert oracle("", clip(5), clip(4)) == Label(0)
    assert oracle("", clip(4), clip(5)) == Label(1)
    assert oracle("", clip(4), clip(4)) == Label(-1)


def test_the_band_abstains() -> None:
    """Three steps that start one later have a return that is 3 larger."""
    assert OracleLabeler(band=2.9)("", clip(4), clip(5)) == Label(1)
    assert OracleLabeler(band=3.0)("", clip(4), clip(5)) == Label(-1)


def test_the_fraction_of_errors() -> None:
    oracle = OracleLabeler(flip_probability=0.3, seed=1)
    answers = [oracle("", clip(a), clip(b)).value == int(b > a) for a in range(58) for b in range(a)]
    assert len(answers) == 1653
    assert abs(np.mean(answers) - 0.7) < 0.04  # the standard deviation is 0.011


def test_always_wrong() -> None:
    assert OracleLabeler(flip_probability=1.0)("", clip(5), clip(4)) == Label(1)


def test_errors_depend_on_the_seed_and_the_pair_not_on_the_order_of_questions() -> None:
    pairs = [(clip(a), clip(a + 1)) for a in range(40)]
    forward = [OracleLabeler(0.4, seed=3)("", *pair) for pair in pairs]
    one = OracleLabeler(0.4, seed=3)
    backward = [one("", *pair) for pair in reversed(pairs)]
    assert forward == backward[::-1]
    other = OracleLabeler(0.4, seed=4)
    assert forward != [other("", *pair) for pair in pairs]


def test_the_same_pair_again_has_an_independent_error() -> None:
    oracle = OracleLabeler(0.5, seed=0)
    answers = [oracle("", clip(1), clip(2)).value for _ in range(60)]
    assert 15 < sum(answers) < 45


def test_errors_ignore_the_position() -> None:
    """A pair in the other order has the same answer, mirrored."""
    for a in range(30):
        straight = OracleLabeler(0.5, seed=2)("", clip(a), clip(a + 1)).value
        assert straight == 1 - OracleLabeler(0.5, seed=2)("", clip(a + 1), clip(a)).value


def test_an_intransitive_rule() -> None:
    """Rock, paper, scissors: start k loses against start k + 1, modulo 3."""

    def beats(first: Clip, second: Clip) -> float:
        return [0.0, -1.0, 1.0][int(second.obs[0, 0] - first.obs[0, 0]) % 3]

    oracle = OracleLabeler(rule=beats)
    assert [oracle("", clip(a), clip((a + 1) % 3)).value for a in range(3)] == [1, 1, 1]
    assert oracle("", clip(1), clip(1)).value == -1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flip_probability": 1.5}, r"`flip_probability` must be in \[0, 1\]. Received 1.5"),
        ({"flip_probability": float("nan")}, "`flip_probability`"),
        ({"band": -1.0}, "`band` must be at least 0. Received -1.0"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_bounds(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OracleLabeler(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("returned", [float("nan"), np.zeros(2), float("inf")])
def test_a_rule_returns_one_finite_number(returned: object) -> None:
    with pytest.raises(ValueError, match="`rule` must return one finite number"):
        OracleLabeler(rule=lambda a, b: returned)("", clip(0), clip(1))  # type: ignore[arg-type, return-value]
