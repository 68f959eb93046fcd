"""SwAV and DINO losses against hand-worked numbers."""

import math

import pytest
import torch

from rlpriors.representation.losses.prototypes import cosine_similarity, dino_loss, sinkhorn, swav_loss

E = math.e


EYE = torch.eye(2)


def test_sinkhorn_uses_prototypes_equally() -> None:
    everyone_prefers_one = torch.tensor([[5.0, 0.0], [5.0, 0.0]])
    assert torch.allclose(sinkhorn(everyone_prefers_one), torch.full((2, 2), 0.5))
    p = E / (E + 1)
    assert torch.allclose(sinkhorn(EYE, epsilon=1.0), torch.tensor([[p, 1 - p], [1 - p, p]]))
    rows = sinkhorn(torch.rand(6, 3, generator=torch.Generator().manual_seed(0)), iterations=50)
    assert torch.allclose(rows.sum(1), torch.ones(6))
    assert torch.allclose(rows.sum(0), torch.full((3,), 2.0), atol=1e-2)


def test_swav_loss_predicts_the_other_views_assignment() -> None:
    p = E / (E + 1)
    entropy = -(p * math.log(p) + (1 - p) * math.log(1 - p))
    assert swav_loss(EYE, EYE, temperature=1.0, epsilon=1.0).item() == pytest.approx(entropy)
    assert swav_loss(EYE, 0 * EYE).item() == pytest.approx(
        (-(math.log(1 / (1 + math.exp(-10))) + math.log(1 / (1 + math.exp(10)))) / 2 + math.log(2)) / 2,
        rel=1e-4,
    )


def test_dino_loss_centers_and_sharpens_the_teacher() -> None:
    teacher, center = torch.tensor([[3.0, 1.0]]), torch.tensor([2.0, 1.0])
    p = E / (E + 1)  # the teacher's first: the softmax of 1 and 0
    assert dino_loss(EYE[:1], teacher, center, 1.0, 1.0).item() == pytest.approx(
        -(p * math.log(p) + (1 - p) * math.log(1 - p))
    )
    assert dino_loss(EYE[:1], teacher, center, 1.0, 1e-3).item() == pytest.approx(-math.log(p))
    assert dino_loss(EYE[:1], teacher, teacher[0]).item() == pytest.approx(
        (math.log(1 + math.exp(-10)) + math.log(1 + math.exp(10))) / 2
    )


def test_scores_are_cosine_similarities() -> None:
    found = cosine_similarity(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0], [-6.0, -8.0]]))
    assert found.tolist() == [pytest.approx([0.6, -1.0])]
