"""Checks of observations, sizes and classes."""

import numpy as np
import pytest
import torch
from tianshou.data import Batch

from rlpriors.agents.validation import check_type, read_observations
from rlpriors.data.observation_layout import ObservationLayout

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "obs",
    [np.arange(6.0).reshape(2, 3), np.arange(6).reshape(2, 1, 3), torch.arange(6).reshape(2, 3)],
    ids=["array", "further axis", "tensor"],
)
def test_observations_become_rows_of_float32(obs) -> None:
    rows = read_observations(obs, None, 3, CPU)
    assert rows.dtype == torch.float32
    assert rows.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_leaves_of_a_batch_are_selected_in_the_given_order() -> None:
    obs = Batch(a=np.ones((2, 1)), b=np.zeros((2, 2)))
    assert read_observations(obs, ObservationLayout(("b", "a")), 3, CPU).tolist() == [[0.0, 0.0, 1.0]] * 2


@pytest.mark.parametrize(
    ("obs", "message"),
    [
        (np.zeros((2, 4)), "`obs` must have 3 entries.* Received 4"),
        (np.full((2, 3), np.nan), "`obs` must be finite"),
    ],
)
def test_other_observations_are_refused(obs, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_observations(obs, None, 3, CPU)


def test_the_message_contains_both_classes_and_the_advice() -> None:
    check_type("size", 3, int, "give a number")
    with pytest.raises(TypeError, match=r"`size` must be an OSError or int\. Received a list; give"):
        check_type("size", [], (OSError, int), "give a number")
