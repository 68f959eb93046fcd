"""Base class of denoisers, initialization with zeros, and checks of settings."""

import pytest
import torch
from torch import nn

from rlpriors.networks.base import (
    DenoiserNetwork,
    DenoiserSettings,
    check_at_least,
    check_multiple,
    zero_init,
)


def test_zero_init_takes_layers_with_and_without_bias() -> None:
    for layer in (nn.Linear(2, 3), nn.Linear(2, 3, bias=False), nn.Conv1d(2, 3, 1)):
        assert zero_init(layer) is layer
        assert all(not p.any() for p in layer.parameters())


def test_a_denoiser_without_forward_is_refused() -> None:
    network = DenoiserNetwork(DenoiserSettings(horizon=2, dim=1))
    with pytest.raises(NotImplementedError, match="DenoiserNetwork must implement `forward`"):
        network(torch.zeros(1, 2, 1), torch.tensor([0]))


def test_bounds_name_the_argument() -> None:
    check_at_least(2, a=2, b=3)
    check_multiple(4, "reason", a=0, b=8)
    with pytest.raises(ValueError, match=r"`b` must be at least 2\. Received 1"):
        check_at_least(2, a=2, b=1)
    with pytest.raises(ValueError, match=r"`b` must be divisible by 4 \(a reason\). Received 6"):
        check_multiple(4, "a reason", a=4, b=6)
