"""ShapedReward: the numbers of potential shaping, and what it leaves untouched."""

import pytest
import torch

from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import MLPReward, RewardModel, RewardSettings, ShapedReward


def model(gamma: float) -> ShapedReward:
    """r(s) = 10 s and phi(s) = 2 s + 1, over one number s."""
    base = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
    shaped = ShapedReward(base, gamma=gamma, hidden=())
    for net, weight, bias in ((base.net, 10.0, 0.0), (shaped.net, 2.0, 1.0)):
        (layer,) = net
        layer.weight.data, layer.bias.data = torch.tensor([[weight]]), torch.tensor([bias])
    return shaped


def test_shaping_by_hand() -> None:
    shaped = model(gamma=0.5)
    obs, obs_next = torch.tensor([[1.0], [1.0]]), torch.tensor([[2.0], [2.0]])
    act, end = torch.zeros(2, 1), torch.tensor([False, True])
    assert shaped.potential(obs).tolist() == [3.0, 3.0]
    assert shaped.unshaped(obs, act, obs_next, end).tolist() == [10.0, 10.0]
    # 10 + 0.5 * 5 - 3, and at the end, where the next potential is 0, 10 - 3
    assert shaped(obs, act, obs_next, end).tolist() == [9.5, 7.0]


def test_over_an_episode_only_the_first_potential_remains() -> None:
    gamma = 0.9
    shaped = model(gamma)
    states = torch.tensor([[0.5], [-1.0], [2.0], [3.0], [0.0]])
    obs, obs_next, act = states[:-1], states[1:], torch.zeros(4, 1)
    end = torch.tensor([False, False, False, True])
    added = shaped(obs, act, obs_next, end) - shaped.unshaped(obs, act, obs_next, end)
    discounted = (added * gamma ** torch.arange(4)).sum()
    torch.testing.assert_close(discounted, -shaped.potential(states[0]))


def test_the_potential_sees_whole_observations_in_the_bases_units() -> None:
    step = Normalizer(torch.tensor([1.0, 2.0, 0.0]), torch.tensor([10.0, 20.0, 1.0]))
    base = MLPReward(RewardSettings(obs_dim=2, act_dim=1, obs_index=(0,)), step)
    shaped = ShapedReward(base)
    obs = torch.tensor([[11.0, 42.0]])
    assert shaped.obs_normalizer(obs).tolist() == [[1.0, 2.0]]
    other = ShapedReward(base, normalizer=Normalizer.identity(2))
    assert other.obs_normalizer(obs).tolist() == obs.tolist()


def test_both_parts_learn() -> None:
    shaped = model(gamma=0.9)
    obs = torch.ones(3, 1)
    shaped(obs, obs, 2 * obs, torch.zeros(3, dtype=torch.bool)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in shaped.parameters())


def test_it_takes_over_what_the_base_reads() -> None:
    base = MLPReward(RewardSettings(obs_dim=4, act_dim=2, obs_keys=("observation",)))
    shaped: RewardModel = ShapedReward(base)
    assert (shaped.obs_dim, shaped.act_dim, shaped.obs_keys) == (4, 2, ("observation",))


@pytest.mark.parametrize("gamma", [-0.1, 1.1])
def test_gamma_has_bounds(gamma: float) -> None:
    with pytest.raises(ValueError, match=rf"`gamma` must be in the interval \[0, 1\]. Received {gamma}"):
        model(gamma)


def test_a_normalizer_of_another_size_is_refused() -> None:
    base = MLPReward(RewardSettings(obs_dim=2, act_dim=1))
    with pytest.raises(
        ValueError, match=r"`normalizer` must cover an observation of 2 entries. Received one of 3"
    ):
        ShapedReward(base, normalizer=Normalizer.identity(3))
