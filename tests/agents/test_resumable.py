"""Training states: errors for states of other algorithms and damaged ones."""

import pytest
from line_env import assert_equal, sac, seeded

from rlpriors.agents.resumable import restore_training, restoring, training_state
from rlpriors.checkpoint import CheckpointError


def test_a_state_of_another_algorithm_is_refused() -> None:
    with (
        pytest.raises(CheckpointError, match=r"is of 'DQN', not of 'SAC'\. Start without"),
        restoring("SAC", {"algorithm": "DQN"}),
    ):
        pytest.fail("the context must not run")


@pytest.mark.parametrize("error", [KeyError("modules"), RuntimeError("size"), ValueError("shape")])
def test_errors_of_loading_are_reported_as_a_mismatch(error: Exception) -> None:
    with (
        pytest.raises(CheckpointError, match="does not fit SAC") as caught,
        restoring("SAC", {"algorithm": "SAC"}),
    ):
        raise error
    assert caught.value.__cause__ is error


def test_a_restored_algorithm_has_an_equal_state() -> None:
    algorithm, other = seeded(sac, alpha="auto"), seeded(sac, alpha="auto", seed=1)
    restore_training(other, training_state(algorithm))
    assert_equal(training_state(other), training_state(algorithm))
