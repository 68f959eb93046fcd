"""NT-Xent and the cosine loss against hand-worked numbers."""

import math

import pytest
import torch

from rlpriors.representation.losses.similarity import cosine_loss, nt_xent


def test_nt_xent_has_all_other_vectors_as_negatives() -> None:
    a = torch.tensor([[1.0, 0.0], [0.0, 2.0]])  # lengths do not matter
    # Partner at cosine 1, two negatives at cosine 0.
    assert nt_xent(a, 3 * a, temperature=0.5).item() == pytest.approx(math.log(1 + 2 * math.exp(-2)))
    swapped = nt_xent(a, a.flip(0), temperature=1.0).item()  # partner at cosine 0, one negative at 1
    assert swapped == pytest.approx(math.log(2 + math.e))


def test_cosine_loss_is_2_minus_2_cos() -> None:
    prediction = torch.tensor([[1.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    target = torch.tensor([[5.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert cosine_loss(prediction, target).item() == pytest.approx((0 + 2 + 4) / 3)
