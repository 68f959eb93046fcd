"""InfoNCE against hand-worked numbers."""

import math

import pytest
import torch

from rlpriors.representation.losses.contrastive import info_nce, queue_info_nce

E = math.e


EYE = torch.eye(2)


def test_info_nce_is_a_cross_entropy_over_the_batch() -> None:
    assert info_nce(EYE, math.log(3) * EYE).item() == pytest.approx(-math.log(3 / 4))
    assert info_nce(EYE, math.log(3) * EYE.flip(0)).item() == pytest.approx(-math.log(1 / 4))


def test_places_are_contrasted_separately_and_averaged() -> None:
    query = torch.stack([EYE, torch.zeros(2, 2)], 1)  # (batch, place, dim); at the second all are alike
    key = torch.stack([math.log(3) * EYE, EYE], 1)
    expected = (-math.log(3 / 4) + math.log(2)) / 2
    assert info_nce(query, key).item() == pytest.approx(expected)
    as_map = info_nce(query[:, :, None], key[:, :, None])
    assert as_map.item() == pytest.approx(expected)


def test_rows_with_equal_labels_are_not_negatives() -> None:
    query, key = torch.ones(3, 1), torch.ones(3, 1)
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    # Rows 0 and 1 tell their key from one other, row 2 from two; all scores are equal.
    expected = (2 * math.log(2) + math.log(3)) / 3
    assert info_nce(query, key, same).item() == pytest.approx(expected)
    assert info_nce(query, key, torch.ones(3, 3, dtype=torch.bool)).item() == 0


def test_an_empty_queue_scales_the_negatives_of_the_batch() -> None:
    queue = torch.full((2, 2), 7.0)  # never looked at
    loss = queue_info_nce(EYE, 5 * EYE, queue, torch.tensor(0), temperature=1.0)
    assert loss.item() == pytest.approx(-math.log(E / (E + 3)))  # one negative stands for three


def test_keys_of_the_queue_are_negatives() -> None:
    queue = torch.tensor([[-1.0, 0.0], [9.0, 9.0]])
    loss = queue_info_nce(EYE, EYE, queue, torch.tensor(1), temperature=1.0)
    first = -math.log(E / (E + 1.5 + 1.5 / E))  # two negatives stand for three
    second = -math.log(E / (E + 1.5 + 1.5))
    assert loss.item() == pytest.approx((first + second) / 2)
    full = queue_info_nce(EYE, EYE, torch.stack([EYE[0], -EYE[0]]), torch.tensor(5), temperature=0.5)
    first = -math.log(E**2 / (E**2 + 1 + E**2 + E**-2))
    second = -math.log(E**2 / (E**2 + 3))
    assert full.item() == pytest.approx((first + second) / 2)
