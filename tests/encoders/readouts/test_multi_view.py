"""The base class of readouts with several views per frame."""

import pytest
import torch

from rlpriors.encoders.readouts.multi_view import MultiViewReadout


def test_a_subclass_must_define_its_views() -> None:
    with pytest.raises(NotImplementedError, match="must define `make_views`"):
        MultiViewReadout().make_views(torch.zeros(1, 2, 2, 1))
