"""Observations and actions of models in words."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.sharing.interface import count_weights, describe_actions, describe_observation, entry_rows


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (gym.spaces.Discrete(5, start=-1), "integers -1..3 (Discrete)"),
        (gym.spaces.Box(-2, 2, (3,)), "`Box(-2.0, 2.0, (3,), float32)`, in units of the environment"),
        (None, "vector of 3 entries, in units of the environment"),
    ],
)
def test_actions(space: gym.Space | None, text: str) -> None:
    assert describe_actions(space, 3) == text


def test_observations() -> None:
    assert describe_observation(1, None) == "vector of 1 entry"
    text = describe_observation(9, ObservationLayout(("image", "speed")), "nature-cnn")
    assert text.startswith("vector of 9 entries: the leaves ('image', 'speed'), flattened, in this order")
    assert text.endswith("; images are features of the encoder `nature-cnn`")


def test_entries_have_the_names_of_their_leaves() -> None:
    normalizer = Normalizer(torch.tensor([1.0, 2.0, 3.0, 9.0]), torch.tensor([0.5, 1.0, 4.0, 9.0]))
    layout = ObservationLayout(("speed", "xy"), ((), (2,)))
    assert entry_rows(normalizer, 3, layout) == [("speed", 1, 0.5), ("xy[0]", 2, 1), ("xy[1]", 3, 4)]
    unknown = ObservationLayout(("speed", "xy"))
    assert [name for name, *_ in entry_rows(normalizer, 3, unknown)] == ["0", "1", "2"]
    of_images = ObservationLayout(("image", "xy"), ((8, 8, 3), (2,)))  # whose features are other entries
    assert [name for name, *_ in entry_rows(normalizer, 3, of_images)] == ["0", "1", "2"]


def test_raw_units_have_no_rows() -> None:
    assert entry_rows(Normalizer.identity(4), 3, None) == []
    assert entry_rows(None, 3, None) == []
    constant = Normalizer.limits(np.array([[0.0, 5.0], [0.0, 5.0]]))  # is only shifted
    assert entry_rows(constant, 2, None) == [("0", 0, 1), ("1", 5, 1)]


def test_weights_are_counted() -> None:
    assert count_weights(torch.nn.Linear(999, 2)) == "2,000"
