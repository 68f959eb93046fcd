"""Losses of comparisons and grades: numbers by hand."""

import math

import pytest
import torch

from rlpriors.rewards.preferences.losses import bradley_terry_loss, ordinal_loss, preference_probability

SCORES = torch.tensor([[1.0, 1.0 + math.log(3)], [0.0, 0.0], [2.0, 2.0 - math.log(4)]])
"""Probabilities that the second is better: 3/4, 1/2, 1/5."""


def test_the_probability_is_the_sigmoid_of_the_difference() -> None:
    assert preference_probability(SCORES).tolist() == pytest.approx([0.75, 0.5, 0.2])


def test_the_loss_is_the_mean_negative_log_probability_of_the_labels() -> None:
    labels = torch.tensor([1, 0, 0])
    expected = -(math.log(0.75) + math.log(0.5) + math.log(0.8)) / 3
    assert bradley_terry_loss(SCORES, labels).item() == pytest.approx(expected)


def test_confidence_weighs_the_pairs() -> None:
    labels, confidence = torch.tensor([1, 0, 1]), torch.tensor([1.0, 0.5, 0.25])
    expected = -(math.log(0.75) + 0.5 * math.log(0.5) + 0.25 * math.log(0.2)) / 1.75
    assert bradley_terry_loss(SCORES, labels, confidence).item() == pytest.approx(expected)


def test_an_undecided_pair_has_the_target_one_half() -> None:
    loss = bradley_terry_loss(SCORES[:1], torch.tensor([-1]))
    assert loss.item() == pytest.approx(-(math.log(0.75) + math.log(0.25)) / 2)
    scores = torch.zeros(1, 2, requires_grad=True)
    bradley_terry_loss(scores, torch.tensor([-1])).backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == [[0.0, 0.0]]  # equal scores are the optimum


def test_a_constant_added_to_both_scores_changes_nothing() -> None:
    labels = torch.tensor([1, 0, -1])
    assert torch.allclose(bradley_terry_loss(SCORES, labels), bradley_terry_loss(SCORES + 7, labels))


def test_large_differences_stay_finite() -> None:
    loss = bradley_terry_loss(torch.tensor([[0.0, 1e4]]), torch.tensor([0]))
    assert loss.item() == pytest.approx(1e4)


def test_the_ordinal_loss_by_hand() -> None:
    # Thresholds 0 and log 2; the score log 3 has P(grade > 0) = 3/4 and P(grade > 1) = 3/5.
    scores, thresholds = torch.tensor([math.log(3)]), torch.tensor([0.0, math.log(2)])
    wanted = {0: (0.25, 0.4), 1: (0.75, 0.4), 2: (0.75, 0.6)}
    for grade, (first, second) in wanted.items():
        loss = ordinal_loss(scores, thresholds, torch.tensor([grade]))
        assert loss.item() == pytest.approx(-(math.log(first) + math.log(second)) / 2)
