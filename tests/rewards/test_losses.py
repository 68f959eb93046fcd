"""Losses that learn a reward, with numbers by hand."""

import pytest
import torch

from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.losses import contrastive_loss, gradient_penalty, slowness_penalty, temporal_variation


def test_contrast_by_hand() -> None:
    demonstrated, sampled = torch.tensor([[3.0, 5.0]]), torch.tensor([[1.0, 1.0], [2.0, 6.0], [0.0, 2.0]])
    assert contrastive_loss(demonstrated, sampled).item() == 12 / 6 - 4.0
    assert contrastive_loss(demonstrated, demonstrated).item() == 0.0


def test_the_contrast_ignores_a_constant_and_falls_with_better_demonstrations() -> None:
    demonstrated, sampled = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    loss = contrastive_loss(demonstrated, sampled)
    torch.testing.assert_close(contrastive_loss(demonstrated + 7, sampled + 7), loss)
    torch.testing.assert_close(contrastive_loss(demonstrated + 1, sampled), loss - 1)


def test_gradient_of_the_contrast_is_the_maximum_entropy_one() -> None:
    # For r = w . x: d loss / d w = mean of sampled x minus mean of demonstrated x.
    demonstrated, sampled = torch.randn(2, 5, 3, 2, generator=torch.Generator().manual_seed(0))
    w = torch.tensor([0.5, -2.0], requires_grad=True)
    contrastive_loss(demonstrated @ w, sampled @ w).backward()
    torch.testing.assert_close(w.grad, sampled.mean((0, 1)) - demonstrated.mean((0, 1)))


def test_penalty_of_a_linear_value_by_hand() -> None:
    slope = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    one, other = torch.randn(2, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    penalty = gradient_penalty(lambda x: (slope * x).sum((1, 2)), one, other)
    assert penalty.item() == pytest.approx(1 + 4 + 9)  # the same everywhere


def test_penalty_is_taken_between_the_two_sets() -> None:
    seen = []

    def value(x):
        seen.append(x.detach())
        return 0.5 * x.square().sum((1, 2))  # whose gradient is x

    demonstrated, sampled = torch.zeros(1000, 1, 2), torch.ones(1000, 1, 2)
    penalty = gradient_penalty(value, demonstrated, sampled, torch.Generator().manual_seed(0))
    (x,) = seen
    assert torch.equal(x[..., 0], x[..., 1])  # one weight a window
    assert 0 <= x.min() < 0.01
    assert 0.99 < x.max() <= 1
    torch.testing.assert_close(penalty, x.square().sum((1, 2)).mean())
    assert penalty.item() == pytest.approx(2 / 3, abs=0.1)  # 2 E[u^2] of an even draw


def test_penalty_is_centered_at_zero() -> None:
    x = torch.zeros(3, 2, 1)
    assert gradient_penalty(lambda x: (0 * x).sum((1, 2)), x, x).item() == 0.0


def test_equal_generators_give_equal_penalties() -> None:
    one, other = torch.randn(2, 5, 2, 2, generator=torch.Generator().manual_seed(0))

    def penalty(seed: int) -> float:
        generator = torch.Generator().manual_seed(seed)
        return gradient_penalty(lambda x: x.pow(3).sum((1, 2)), one, other, generator).item()

    assert penalty(1) == penalty(1) != penalty(2)


def test_the_penalty_reaches_the_parameters_and_not_the_windows() -> None:
    judge = build_mlp(2, (8,), 1)
    demonstrated = torch.zeros(4, 1, 2, requires_grad=True)
    sampled = torch.ones(4, 1, 2, requires_grad=True)
    gradient_penalty(lambda x: judge(x).sum((1, 2)), demonstrated, sampled).backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in (judge[0], judge[2]))
    assert demonstrated.grad is None
    assert sampled.grad is None


def test_penalty_weighs_entries_by_hand() -> None:
    slope = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    one, other = torch.randn(2, 5, 2, 2, generator=torch.Generator().manual_seed(0))
    penalty = gradient_penalty(
        lambda x: (slope * x).sum((1, 2)), one, other, weight=torch.tensor([1.0, 10.0])
    )
    assert penalty.item() == pytest.approx(1 + 10 * (4 + 9))


def test_temporal_variation_by_hand() -> None:
    slow = torch.tensor([0.0, 1.0, 2.0, 3.0])  # changes by 1, variance 5/3
    quick = torch.tensor([0.0, 3.0, 0.0, 3.0])  # changes by 3, variance 3
    never = torch.full((4,), 7.0)
    windows = torch.stack([slow, quick, never], -1)[None]
    expected = torch.tensor([1.0, (9 / 3) / (1 / (5 / 3)), 1.0])
    torch.testing.assert_close(temporal_variation(windows), expected)
    torch.testing.assert_close(temporal_variation(5 * windows - 2), expected)  # units do not matter


def test_temporal_variation_ignores_jitter() -> None:
    generator = torch.Generator().manual_seed(0)
    walk = torch.randn(100, 8, 2, generator=generator).cumsum(1)
    goal = torch.rand(100, 1, 1, generator=generator).expand(100, 8, 1)
    jittered = goal + 1e-5 * torch.randn(100, 8, 1, generator=generator)
    expected = temporal_variation(walk)
    torch.testing.assert_close(temporal_variation(torch.cat([walk, jittered], -1))[:2], expected)
    flicker = torch.randn(100, 8, 1, generator=generator)
    slow = 0.01 * torch.randn(100, 8, 1, generator=generator).cumsum(1) + 5 * goal
    assert temporal_variation(torch.cat([flicker, slow], -1)).max() == 1000


@pytest.mark.parametrize(
    ("windows", "message"),
    [(torch.ones(3, 4, 2), "must change over time"), (torch.ones(3, 1, 2), "at least 2 timesteps")],
)
def test_temporal_variation_of_constant_windows(windows: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        temporal_variation(windows)


def test_slowness_by_hand() -> None:
    assert slowness_penalty(torch.tensor([[0.0, 1.0, 3.0], [2.0, 2.0, 2.0]])).item() == pytest.approx(5 / 4)
    with pytest.raises(ValueError, match="at least 2 consecutive steps"):
        slowness_penalty(torch.zeros(3, 1))
