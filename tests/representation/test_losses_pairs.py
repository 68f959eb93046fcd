"""Losses between views, times and actions, against numbers worked out by hand."""

import math

import pytest
import torch

from rlpriors.representation import RECIPES
from rlpriors.representation.losses.contrastive import dot_nce, queue_nce
from rlpriors.representation.losses.likelihood import (
    bottleneck,
    log_normal,
    surprise_continuous,
    surprise_discrete,
)
from rlpriors.representation.losses.prototypes import cosines, distilled, sinkhorn, swapped
from rlpriors.representation.losses.redundancy import (
    covariance,
    cross_correlation,
    gaussian_batch,
    hinge_variance,
)

E = math.e
EYE = torch.eye(2)


def test_dot_products_find_their_key_among_the_other_rows() -> None:
    assert dot_nce(EYE, math.log(3) * EYE).item() == pytest.approx(-math.log(3 / 4))
    assert dot_nce(EYE, math.log(3) * EYE.flip(0)).item() == pytest.approx(-math.log(1 / 4))


def test_places_are_contrasted_apart_and_averaged() -> None:
    query = torch.stack([EYE, torch.zeros(2, 2)], 1)  # (batch, place, dim); at the second all are alike
    key = torch.stack([math.log(3) * EYE, EYE], 1)
    expected = (-math.log(3 / 4) + math.log(2)) / 2
    assert dot_nce(query, key).item() == pytest.approx(expected)
    as_map = dot_nce(query[:, :, None], key[:, :, None])
    assert as_map.item() == pytest.approx(expected)


def test_rows_with_the_same_answer_are_not_negatives() -> None:
    query, key = torch.ones(3, 1), torch.ones(3, 1)
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    # Rows 0 and 1 tell their key from one other, row 2 from two; all scores are equal.
    expected = (2 * math.log(2) + math.log(3)) / 3
    assert dot_nce(query, key, same).item() == pytest.approx(expected)
    assert dot_nce(query, key, torch.ones(3, 3, dtype=torch.bool)).item() == 0


def test_an_empty_queue_counts_as_full_of_what_the_batch_has() -> None:
    queue = torch.full((2, 2), 7.0)  # never looked at
    loss = queue_nce(EYE, 5 * EYE, queue, torch.tensor(0), temperature=1.0)
    assert loss.item() == pytest.approx(-math.log(E / (E + 3)))  # one negative stands for three


def test_what_the_queue_holds_is_a_negative() -> None:
    queue = torch.tensor([[-1.0, 0.0], [9.0, 9.0]])
    loss = queue_nce(EYE, EYE, queue, torch.tensor(1), temperature=1.0)
    first = -math.log(E / (E + 1.5 + 1.5 / E))  # two negatives stand for three
    second = -math.log(E / (E + 1.5 + 1.5))
    assert loss.item() == pytest.approx((first + second) / 2)
    full = queue_nce(EYE, EYE, torch.stack([EYE[0], -EYE[0]]), torch.tensor(5), temperature=0.5)
    first = -math.log(E**2 / (E**2 + 1 + E**2 + E**-2))
    second = -math.log(E**2 / (E**2 + 3))
    assert full.item() == pytest.approx((first + second) / 2)


def test_variance_is_asked_of_each_number() -> None:
    z = torch.tensor([[0.0, 5.0], [2.0, 5.0]])  # standard deviations sqrt(2) and 0
    assert hinge_variance(z).item() == pytest.approx(0.99 / 2, abs=1e-6)  # sqrt(eps) is 0.01
    assert hinge_variance(z, 10 * torch.tensor([[0.0, 1.0], [1.0, 0.0]])).item() == pytest.approx(0.99 / 4)


def test_covariance_counts_pairs_of_different_numbers() -> None:
    z = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])  # every covariance is 1/2
    assert covariance(z).item() == pytest.approx(6 * 0.25 / 3)
    assert covariance(z, mean=True).item() == pytest.approx(0.25)
    assert covariance(z[:, None].expand(2, 4, 3), mean=True).item() == pytest.approx((2 / 7) ** 2)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert covariance(apart).item() == 0


def test_cross_correlation_is_compared_with_the_identity() -> None:
    a = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert cross_correlation(a, 3 * a, weight=0.5, eps=0.0).item() == pytest.approx(1)
    assert cross_correlation(a, -a, weight=0.5, eps=0.0).item() == pytest.approx(9)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert cross_correlation(apart, apart, eps=0.0).item() == pytest.approx(0)


def test_the_prior_is_a_standard_normal_of_the_batch() -> None:
    assert gaussian_batch(torch.tensor([[1.0], [3.0]]), eps=0.0).item() == pytest.approx(2)
    assert gaussian_batch(torch.tensor([[-1.0, -E], [1.0, E]]), eps=0.0).item() == pytest.approx(
        (E**2 - 1 - 2) / 4
    )


def test_prototypes_are_used_alike() -> None:
    everyone_prefers_one = torch.tensor([[5.0, 0.0], [5.0, 0.0]])
    assert torch.allclose(sinkhorn(everyone_prefers_one), torch.full((2, 2), 0.5))
    p = E / (E + 1)
    assert torch.allclose(sinkhorn(EYE, epsilon=1.0), torch.tensor([[p, 1 - p], [1 - p, p]]))
    rows = sinkhorn(torch.rand(6, 3, generator=torch.Generator().manual_seed(0)), iterations=50)
    assert torch.allclose(rows.sum(1), torch.ones(6))
    assert torch.allclose(rows.sum(0), torch.full((3,), 2.0), atol=1e-2)


def test_views_predict_each_others_prototypes() -> None:
    p = E / (E + 1)
    entropy = -(p * math.log(p) + (1 - p) * math.log(1 - p))
    assert swapped(EYE, EYE, temperature=1.0, epsilon=1.0).item() == pytest.approx(entropy)
    assert swapped(EYE, 0 * EYE).item() == pytest.approx(
        (-(math.log(1 / (1 + math.exp(-10))) + math.log(1 / (1 + math.exp(10)))) / 2 + math.log(2)) / 2,
        rel=1e-4,
    )


def test_a_student_says_what_its_teacher_says_less_the_center() -> None:
    teacher, center = torch.tensor([[3.0, 1.0]]), torch.tensor([2.0, 1.0])
    p = E / (E + 1)  # the teacher's first: the softmax of 1 and 0
    assert distilled(EYE[:1], teacher, center, 1.0, 1.0).item() == pytest.approx(
        -(p * math.log(p) + (1 - p) * math.log(1 - p))
    )
    assert distilled(EYE[:1], teacher, center, 1.0, 1e-3).item() == pytest.approx(-math.log(p))
    assert distilled(EYE[:1], teacher, teacher[0]).item() == pytest.approx(
        (math.log(1 + math.exp(-10)) + math.log(1 + math.exp(10))) / 2
    )


def test_scores_are_cosines() -> None:
    found = cosines(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0], [-6.0, -8.0]]))
    assert found.tolist() == [pytest.approx([0.6, -1.0])]


def test_densities_are_those_of_normals() -> None:
    zero = torch.zeros(1, 2)
    assert log_normal(zero, zero, zero).item() == pytest.approx(-math.log(2 * math.pi))
    one = torch.ones(1, 1)
    expected = -0.125 - math.log(2) - 0.5 * math.log(2 * math.pi)
    assert log_normal(one, 0 * one, math.log(2) * one).item() == pytest.approx(expected)


def test_surprise_is_averaged_over_steps_and_numbers() -> None:
    logits = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])
    assert surprise_discrete(logits, torch.tensor([[0, 1]])).tolist() == pytest.approx(
        [(math.log(4 / 3) + math.log(2)) / 2]
    )
    act = torch.tensor([[1.0, 0.0]])
    expected = (0.5 + math.log(2 * math.pi)) / 2
    assert surprise_continuous(torch.zeros(1, 2), torch.zeros(2), act).tolist() == pytest.approx([expected])


def test_the_bottleneck_pays_for_what_the_partner_does_not_tell() -> None:
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    assert bottleneck(zero, zero, zero, one, zero, beta=0.3).item() == pytest.approx(0.15)
    apart = torch.tensor([[0.0], [2.0]])
    loss = bottleneck(apart, apart, 0 * apart, apart, 0 * apart, beta=0.3)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_vicreg_weighs_its_terms_as_its_authors_code_does() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(6, 3), torch.randn(6, 3)
    outputs = {"z.context": a, "z.target": b}
    terms = RECIPES["vicreg"]().losses.values()
    found = sum(term.weight * term.loss(*(outputs[name] for name in term.inputs)) for term in terms)
    expected = 25 * ((a - b) ** 2).mean()
    for z in (a, b):
        expected += 25 * (1 - (z.var(0) + 1e-4).sqrt()).clamp(min=0).mean() / 2
        covariances = torch.cov(z.T)
        expected += (covariances - covariances.diag().diag()).square().sum() / 3
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
