"""Disagreement of predictions: the variance by hand, training, and files."""

import pytest
import torch

from rlpriors.rewards import DisagreementReward, DisagreementSettings, load_reward


def linear(weights: list[float], beta: float = 1.0) -> DisagreementReward:
    """Create a reward whose members predict `weight` times the observation as its change."""
    settings = DisagreementSettings(obs_dim=1, act_dim=1, hidden=(), n_members=len(weights), beta=beta)
    reward = DisagreementReward(settings)
    for member, weight in zip(reward.members, weights, strict=True):
        member[0].weight.data, member[0].bias.data = torch.tensor([[weight, 0.0]]), torch.zeros(1)
    return reward


def test_variance_by_hand() -> None:
    reward = linear([1.0, 2.0, 6.0], beta=10.0)  # mean 3, squared distances 4, 1, 9
    obs = torch.tensor([[1.0], [-2.0], [0.0]])
    rewards = reward(obs, torch.ones(3, 1), obs, torch.zeros(3).bool())
    torch.testing.assert_close(rewards, 10 * 14 / 3 * torch.tensor([1.0, 4.0, 0.0]))


def test_the_loss_is_that_of_each_member() -> None:
    reward = linear([1.0, 2.0])
    obs, obs_next = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [3.0]])
    # The changes are 1 and 0: errors 0 and 3, then 1 and 6.
    assert reward.loss(obs, torch.ones(2, 1), obs_next).item() == pytest.approx(9 / 2 + 37 / 2)


def test_it_is_lower_where_it_was_trained_than_elsewhere() -> None:
    settings = DisagreementSettings(obs_dim=2, act_dim=1, n_actions=2, hidden=(32,), seed=1)
    reward = DisagreementReward(settings)
    generator = torch.Generator().manual_seed(0)
    optim = torch.optim.Adam(reward.parameters(), lr=1e-2)
    first = None
    for _ in range(300):
        obs = torch.rand(64, 2, generator=generator)
        act = torch.randint(2, (64, 1), generator=generator).float()
        # Noise that no member can predict: they agree on the mean.
        loss = reward.loss(obs, act, obs + 0.5 * act + torch.randn(64, 2, generator=generator))
        optim.zero_grad()
        loss.backward()
        optim.step()
    seen = torch.rand(100, 2, generator=generator)
    first = reward.action_rewards(seen).mean()
    assert first < 0.1
    assert reward.action_rewards(seen + 4).mean() > 5 * first


def test_a_saved_reward_has_equal_scores(tmp_path) -> None:
    reward = DisagreementReward(DisagreementSettings(obs_dim=2, act_dim=1, n_actions=3, n_members=2))
    loaded = load_reward(reward.save(tmp_path), "cpu")
    obs = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.action_rewards(obs), reward.action_rewards(obs))


def test_one_member_cannot_disagree() -> None:
    with pytest.raises(ValueError, match="`n_members` must be at least 2"):
        DisagreementSettings(obs_dim=1, act_dim=1, n_members=1)
