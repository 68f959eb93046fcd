"""Elliptical bonus: counts, kernels, trained features and files."""

import pytest
import torch
from torch import nn

from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import EllipticalBonus, EllipticalSettings, load_reward

SIZES = {"obs_dim": 3, "act_dim": 1, "n_actions": 2}
KINDS = ("product", "random", "contrastive")


def batch(n: int = 5, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    obs, obs_next = torch.randn(2, n, 3, generator=generator)
    act = torch.randint(2, (n, 1), generator=generator).float()
    return obs, act, obs_next, torch.zeros(n, dtype=torch.bool)


def test_it_counts_visits_of_one_hot_states() -> None:
    bonus = EllipticalBonus(EllipticalSettings(**SIZES, beta=2.0, lambda0=0.25))
    states = torch.eye(3)
    # State 0 with action 1 four times, state 2 with action 0 once.
    visits = torch.tensor([0, 0, 2, 0, 0])
    bonus.observe(states[visits], torch.tensor([[1.0], [1.0], [0.0], [1.0], [1.0]]))
    expected = 2 / torch.sqrt(torch.tensor([[0.25, 4.25], [0.25, 0.25], [1.25, 0.25]]))
    torch.testing.assert_close(bonus.action_rewards(states), expected)
    rewards = bonus(states, torch.tensor([[1.0], [1.0], [0.0]]), states * 0, torch.zeros(3).bool())
    torch.testing.assert_close(rewards, expected[[0, 1, 2], [1, 1, 0]])
    bonus.forget()
    torch.testing.assert_close(bonus.action_rewards(states), torch.full((3, 2), 4.0))


@pytest.mark.parametrize("kind", KINDS)
def test_the_bonus_is_the_formula_over_its_features(kind: str) -> None:
    normalizer = Normalizer.gaussian(torch.randn(50, 3, generator=torch.Generator().manual_seed(3)))
    settings = EllipticalSettings(**SIZES, kind=kind, n_features=7, lambda0=0.5, beta=3.0, hidden=(8,))
    bonus = EllipticalBonus(settings, normalizer)
    obs, act, _, end = batch(20)
    bonus.observe(obs, act)
    with torch.no_grad():
        phi = bonus.phi(bonus.features(obs, act, obs)).double()
    matrix = 0.5 * torch.eye(phi.shape[1], dtype=torch.float64) + phi.T @ phi
    expected = 3 * torch.stack([row @ torch.linalg.inv(matrix) @ row for row in phi]).sqrt()
    with torch.no_grad():
        torch.testing.assert_close(bonus(obs, act, obs, end).double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_it_falls_where_the_agent_was_and_nowhere_rises(kind: str) -> None:
    bonus = EllipticalBonus(EllipticalSettings(**SIZES, kind=kind, n_features=64, hidden=(16,)))
    obs, act, obs_next, end = batch(40)
    with torch.no_grad():
        before = bonus(obs, act, obs_next, end)
        bonus.observe(obs[:10].repeat(9, 1), act[:10].repeat(9, 1))
        after = bonus(obs, act, obs_next, end)
    assert (after <= before + 1e-5).all()
    assert (after[:10] < 0.4 * before[:10]).all()


def test_random_features_generalize_over_their_bandwidth() -> None:
    settings = EllipticalSettings(
        obs_dim=1, act_dim=1, n_actions=2, kind="random", n_features=400, bandwidth=0.5, lambda0=0.1
    )
    bonus = EllipticalBonus(settings)
    bonus.observe(torch.zeros(50, 1), torch.zeros(50, 1))
    near, far = bonus.action_rewards(torch.tensor([[0.1], [3.0]]))[:, 0]
    assert near < 0.3 * far


def test_a_given_function_and_vector_actions() -> None:
    settings = EllipticalSettings(obs_dim=2, act_dim=1, kind="given", n_features=1)
    bonus = EllipticalBonus(settings, features=lambda x: x[..., :1] * x[..., 2:])
    obs, act = torch.tensor([[3.0, 9.0]]), torch.tensor([[0.5]])
    bonus.observe(obs, act)  # phi = 1.5: 1.5 / sqrt(1 + 2.25)
    torch.testing.assert_close(bonus(obs, act, obs, torch.zeros(1).bool()), torch.tensor([1.5 / 3.25**0.5]))
    with pytest.raises(ValueError, match=r"`settings\.n_actions` must be the size of a Discrete space"):
        bonus.action_rewards(obs)
    with pytest.raises(ValueError, match='Received "given", a function'):
        bonus.save("nowhere")
    wrong = EllipticalBonus(settings, features=nn.Identity())
    with pytest.raises(ValueError, match="`features` must return 1 features"):
        wrong.observe(obs, act)


def test_contrastive_training_finds_the_next_observation() -> None:
    """The next state of the toy is decided by state and action, so the loss falls far below a guess."""
    torch.manual_seed(0)
    bonus = EllipticalBonus(
        EllipticalSettings(obs_dim=4, act_dim=1, n_actions=2, kind="contrastive", n_features=16, hidden=(32,))
    )
    optim = torch.optim.Adam(bonus.parameters(), lr=1e-2)
    states = torch.eye(4)

    def loss() -> torch.Tensor:
        number, act = torch.arange(4).repeat(2), torch.arange(2).repeat_interleave(4)
        following = (number + 1 + act) % 4
        # Two rows have the same next state, so the best loss is log 2.
        return bonus.loss(states[number], act[:, None].float(), states[following])

    before = loss().item()
    for _ in range(200):
        optim.zero_grad()
        value = loss()
        value.backward()
        optim.step()
    assert before > 1.5
    assert value.item() == pytest.approx(torch.log(torch.tensor(2.0)).item(), abs=0.05)
    with torch.no_grad():
        phi = bonus.phi(bonus.features(states[[0, 1, 0, 3]], torch.tensor([[1.0], [0], [0], [1]]), states))
        logits = phi @ bonus.phi.next_features(states).T
    assert logits.argmax(1).tolist() == [2, 2, 1, 1]
    with pytest.raises(ValueError, match="no weights to train"):
        EllipticalBonus(EllipticalSettings(**SIZES)).loss(*batch()[:3])


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_bonus_is_a_frozen_reward(kind: str, tmp_path) -> None:
    bonus = EllipticalBonus(EllipticalSettings(**SIZES, kind=kind, n_features=9, hidden=(8,), seed=5))
    obs, act, obs_next, end = batch()
    bonus.observe(obs, act)
    loaded = load_reward(bonus.save(tmp_path), "cpu")
    assert isinstance(loaded, EllipticalBonus)
    with torch.no_grad():
        assert torch.equal(loaded(obs, act, obs_next, end), bonus(obs, act, obs_next, end))
    assert int(loaded.covariance.n_rows) == 5


def test_equal_seeds_give_equal_features() -> None:
    def weights(seed: int) -> torch.Tensor:
        settings = EllipticalSettings(**SIZES, kind="contrastive", seed=seed)
        return EllipticalBonus(settings).phi.phi[0].weight

    state = torch.get_rng_state()
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": -1.0}, "`beta` must be at least 0"),
        ({"lambda0": 0.0}, "`lambda0` must be above 0"),
        ({"inputs": ("obs",)}, "`inputs` must be"),
        ({"n_features": 0}, "`n_features` must be at least 1"),
        ({"bandwidth": 0.0}, "`bandwidth` must be above 0"),
    ],
)
def test_bad_settings(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EllipticalSettings(**SIZES, **change)


def test_features_belong_to_their_kind() -> None:
    with pytest.raises(ValueError, match="`features` must be a function"):
        EllipticalBonus(EllipticalSettings(**SIZES, kind="given"))
    with pytest.raises(ValueError, match="`features` must be a function"):
        EllipticalBonus(EllipticalSettings(**SIZES), features=nn.Identity())
