"""Settings of Tianshou's algorithms: their bounds."""

import pytest

from rlpriors.agents import AlgorithmSettings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden", (64, 0)),
        ("lr", 0.0),
        ("gamma", 1.0),
        ("tau", 0.0),
        ("n_step", 0),
        ("alpha", -1.0),
        ("exploration", -0.1),
        ("target_update_interval", 0),
        ("gae_lambda", 1.1),
        ("clip", 0.0),
        ("entropy", -1.0),
    ],
)
def test_settings_are_bounded(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must .*Received"):
        AlgorithmSettings(**{field: value})
