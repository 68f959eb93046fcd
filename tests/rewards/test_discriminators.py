"""Discriminators: their logits and rewards by hand, what they learn, their files."""

from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import softplus

from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import (
    AIRLReward,
    AIRLSettings,
    Discriminator,
    DRAILReward,
    DRAILSettings,
    GAILReward,
    GAILSettings,
    load_reward,
)

OBS, ACT = 2, 1


def gail() -> Discriminator:
    return GAILReward(
        GAILSettings(OBS, ACT, hidden=(8,)), Normalizer(torch.ones(OBS), torch.full((OBS,), 2.0))
    )


def gail_of_states() -> Discriminator:
    return GAILReward(GAILSettings(OBS, ACT, inputs=("obs", "obs_next"), form="logit", hidden=()))


def gail_of_bounded_slope() -> Discriminator:
    return GAILReward(GAILSettings(OBS, ACT, hidden=(8,), spectral_norm=True))


def airl() -> Discriminator:
    return AIRLReward(AIRLSettings(OBS, ACT, hidden=(8,), potential_hidden=(8,), obs_index=(0,)))


def airl_of_actions() -> Discriminator:
    settings = AIRLSettings(OBS, ACT, inputs=("obs", "act"), n_actions=3, hidden=(), potential_hidden=())
    return AIRLReward(settings)


def drail() -> Discriminator:
    return DRAILReward(DRAILSettings(OBS, ACT, hidden=(16,)))


KINDS = [gail, gail_of_states, gail_of_bounded_slope, airl, airl_of_actions, drail]
Build = Callable[[], Discriminator]


def batch(n: int = 6, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    obs, obs_next = (torch.randn(n, OBS, generator=rng) + shift for _ in range(2))
    return obs, torch.arange(n)[:, None] % 3.0, obs_next, torch.arange(n) % 3 == 0


@pytest.mark.parametrize("build", KINDS)
def test_a_loaded_reward_scores_equally(build: Build, tmp_path) -> None:
    model = build()
    loaded = load_reward(model.save(tmp_path), device="cpu")
    assert type(loaded) is type(model)
    assert loaded.settings == model.settings
    torch.testing.assert_close(loaded(*batch()), model(*batch()), rtol=0, atol=0)
    torch.testing.assert_close(
        loaded.training_reward(*batch()), model.training_reward(*batch()), rtol=0, atol=0
    )


@pytest.mark.parametrize("build", KINDS)
def test_rows_are_scored_independently_and_repeatably(build: Build) -> None:
    model = build()
    together = model(*batch())
    alone = torch.cat([model(*(part[[i]] for part in batch())) for i in range(6)])
    torch.testing.assert_close(alone, together)
    assert model(*(part[:0] for part in batch())).shape == (0,)


@pytest.mark.parametrize("build", KINDS)
def test_it_learns_to_tell_two_sets_apart(build: Build) -> None:
    torch.manual_seed(0)
    model = build()
    optim = torch.optim.Adam(model.parameters(), 0.02)
    obs, act, obs_next, end = batch(64, shift=1.0)
    own, _, own_next, _ = batch(64, shift=-1.0)
    generator = torch.Generator().manual_seed(1)
    for _ in range(60):
        good = model.logits(model.points(obs, act, obs_next), end, generator)
        bad = model.logits(model.points(own, act, own_next), end, generator)
        optim.zero_grad()
        (softplus(-good) + softplus(bad)).mean().backward()
        optim.step()
    assert model(obs, act, obs_next, end).mean() > model(own, act, own_next, end).mean()
    assert (good > 0).float().mean() > 0.8
    assert (bad < 0).float().mean() > 0.8


@pytest.mark.parametrize("build", KINDS)
def test_a_gradient_penalty_on_its_points_reaches_the_weights(build: Build) -> None:
    model = build()
    obs, act, obs_next, end = batch()
    points = model.points(obs, act, obs_next).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model.logits(points, end).sum(), points, create_graph=True)
    gradient.square().sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    ("form", "expected"),
    [("-log(1-D)", 2.1269280), ("log(D)", -0.1269280), ("logit", 2.0)],  # at logit 2, D = 0.880797
)
def test_gails_forms_by_hand(form: str, expected: float) -> None:
    model = GAILReward(GAILSettings(1, 1, hidden=(), form=form))
    model.net[0].weight.data, model.net[0].bias.data = torch.tensor([[1.0, 0.0]]), torch.zeros(1)
    two, end = torch.full((1, 1), 2.0), torch.zeros(1, dtype=torch.bool)
    assert model(two, two, two, end).item() == pytest.approx(expected, abs=1e-6)
    assert model.logits(model.points(two, two, two), end).item() == 2.0


def test_airls_parts_by_hand() -> None:
    """r(s) = 10 s, phi(s) = 2 s + 1, gamma = 0.5, s = 1, s' = 2."""
    model = AIRLReward(AIRLSettings(1, 1, hidden=(), potential_hidden=(), gamma=0.5))
    for net, weight, bias in ((model.net, 10.0, 0.0), (model.potential_net, 2.0, 1.0)):
        net[0].weight.data, net[0].bias.data = torch.tensor([[weight]]), torch.tensor([bias])
    obs, obs_next, end = torch.ones(2, 1), torch.full((2, 1), 2.0), torch.tensor([False, True])
    assert model(obs, obs, obs_next, end).tolist() == [10.0, 10.0]
    f = [9.5, 7.0]  # 10 + 0.5 * 5 - 3, and at the end 10 - 3
    assert model.training_reward(obs, obs, obs_next, end).tolist() == f
    assert model.logits(model.points(obs, obs, obs_next), end).tolist() == f
    assert model.subtracts_log_prob


def test_drails_logit_by_hand() -> None:
    """A denoiser that predicts 0 if "demonstrated" and 1 if "from the agent", for all inputs."""
    model = DRAILReward(DRAILSettings(1, 1, inputs=("obs",), hidden=(), n_draws=2, time_features=2))
    (layer,) = model.net
    layer.weight.data = torch.tensor([[0.0, 0.0, 0.0, 1.0, 0.0]])  # x_t, two of the time, c-, c+
    layer.bias.data = torch.zeros(1)
    model.noise = torch.tensor([[0.5], [-1.0]])
    rows, end = torch.zeros(3, 1), torch.zeros(3, dtype=torch.bool)
    # L(-) - L(+): (0.5 - 1)^2 - 0.5^2 = 0 and (-1 - 1)^2 - (-1)^2 = 3
    assert model(rows, rows, rows, end).tolist() == [1.5, 1.5, 1.5]
    assert model.times.tolist() == [12, 37]
    drawn = [model.logits(rows, end, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    torch.testing.assert_close(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("settings", "bad", "message"),
    [
        (AIRLSettings, {"gamma": 1.5}, r"`gamma` must be in the interval \[0, 1\]. Received 1.5"),
        (DRAILSettings, {"n_draws": 0}, "`n_draws` must be at least 1. Received 0"),
        (DRAILSettings, {"num_train_timesteps": 1}, "`num_train_timesteps` must be at least 2. Received 1"),
        (DRAILSettings, {"spectral_norm": True}, "`spectral_norm` must be False.*denoiser. Received True"),
        (DRAILSettings, {"time_features": 3}, "`time_features` must be divisible by 2.*Received 3"),
        (GAILSettings, {"obs_dim": 0}, "`obs_dim` must be at least 1"),
    ],
)
def test_settings_have_bounds(settings, bad, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**({"obs_dim": 2, "act_dim": 1} | bad))


def test_an_unknown_form_is_refused() -> None:
    settings = object.__new__(GAILSettings)  # the tests' own type check would speak first
    fields = vars(GAILSettings(2, 1)) | {"form": "D"}
    for name, value in fields.items():
        object.__setattr__(settings, name, value)
    with pytest.raises(ValueError, match=r"`form` must be one of .*Received 'D'"):
        settings.__post_init__()
