"""MLPReward: its inputs, their units, and its settings."""

import json
import re
from copy import deepcopy

import pytest
import torch

from rlpriors.data.normalize import Normalizer
from rlpriors.rewards import (
    AIRLReward,
    AIRLSettings,
    DRAILReward,
    DRAILSettings,
    EnsembleReward,
    GAILReward,
    GAILSettings,
    MLPReward,
    NormalizedReward,
    RewardSettings,
    load_reward,
)

END = torch.zeros(1, dtype=torch.bool)


def linear(settings: RewardSettings, weights: list[float], bias: float, normalizer=None) -> MLPReward:
    model = MLPReward(settings, normalizer)
    (layer,) = model.net
    layer.weight.data, layer.bias.data = torch.tensor([weights]), torch.tensor([bias])
    return model


def test_a_linear_reward_by_hand() -> None:
    settings = RewardSettings(obs_dim=3, act_dim=1, inputs=("obs", "act"), obs_index=(0, 2), hidden=())
    step = Normalizer(torch.tensor([1.0, 0.0, 2.0, 0.0]), torch.tensor([2.0, 1.0, 4.0, 0.5]))
    model = linear(settings, [2.0, -1.0, 3.0], 0.5, step)
    obs, act = torch.tensor([[3.0, 9.0, 10.0]]), torch.tensor([[1.0]])
    # obs[0]: (3-1)/2 = 1, obs[2]: (10-2)/4 = 2, act: 1/0.5 = 2
    assert model.features(obs, act, obs).tolist() == [[1.0, 2.0, 2.0]]
    assert model(obs, act, obs, END).tolist() == [2.0 * 1 - 1.0 * 2 + 3.0 * 2 + 0.5]


def test_a_normalizer_of_the_observation_leaves_actions_as_they_are() -> None:
    settings = RewardSettings(obs_dim=1, act_dim=1, inputs=("obs", "act"), hidden=())
    model = MLPReward(settings, Normalizer(torch.tensor([1.0]), torch.tensor([2.0])))
    one = torch.ones(1, 1)
    assert model.features(5 * one, 7 * one, one).tolist() == [[2.0, 7.0]]


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [
        (("obs",), [1.0, 2.0]),
        (("act",), [3.0]),
        (("obs_next",), [4.0, 5.0]),
        (("obs", "act"), [1.0, 2.0, 3.0]),
        (("obs", "act", "obs_next"), [1.0, 2.0, 3.0, 4.0, 5.0]),
        (("obs_next", "obs"), [4.0, 5.0, 1.0, 2.0]),
    ],
)
def test_only_the_named_inputs_are_read(inputs, seen: list[float]) -> None:
    model = MLPReward(RewardSettings(obs_dim=2, act_dim=1, inputs=inputs))
    parts = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]]), torch.tensor([[4.0, 5.0]])
    assert model.features(*parts).tolist() == [seen]
    assert model.feature_dim == len(seen)


def test_features_and_their_judgment_keep_the_leading_dimensions() -> None:
    model = MLPReward(RewardSettings(obs_dim=2, act_dim=1, inputs=("obs", "act")))
    features = model.features(torch.ones(4, 5, 2), torch.ones(4, 5, 1), torch.ones(4, 5, 2))
    assert features.shape == (4, 5, 3)
    assert model.from_features(features).shape == (4, 5)
    torch.testing.assert_close(
        model.from_features(features)[:, 0],
        model(torch.ones(4, 2), torch.ones(4, 1), torch.ones(4, 2), END.expand(4)),
    )


def test_a_discrete_action_is_read_one_hot() -> None:
    settings = RewardSettings(obs_dim=1, act_dim=1, inputs=("act",), n_actions=3, hidden=())
    model = linear(settings, [10.0, 20.0, 30.0], 0.0)
    obs, act = torch.zeros(4, 1), torch.tensor([[2.0], [0.0], [1.0], [2.0]])
    assert model(obs, act, obs, END.expand(4)).tolist() == [30.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MLPReward, RewardSettings),
        (GAILReward, GAILSettings),
        (AIRLReward, AIRLSettings),
        (DRAILReward, DRAILSettings),
    ],
)
def test_one_hot_rows_are_the_actions_of_any_discrete_space(kind, settings, tmp_path) -> None:
    model = kind(settings(1, 1, inputs=("obs", "act"), n_actions=3, action_start=5, hidden=(8,)))
    obs, act = torch.ones(3, 1), torch.tensor([[5.0], [6.0], [7.0]])
    one_hot = torch.eye(3, requires_grad=True)
    values = model(obs, act, obs, END.expand(3))
    from_rows = model(obs, one_hot, obs, END.expand(3))
    assert torch.equal(values, from_rows)
    (gradient,) = torch.autograd.grad(from_rows.sum(), one_hot)
    assert bool((gradient != 0).all())
    assert model.reads_one_hot
    assert str(model.discrete_space) == "Discrete(3, start=5)"
    model.save(tmp_path)
    loaded = load_reward(tmp_path, "cpu")
    assert loaded.discrete_space == model.discrete_space
    assert torch.equal(loaded(obs, act, obs, END.expand(3)), values)
    with pytest.raises(
        ValueError, match=r"`act` must be actions of Discrete\(3, start=5\).*5\.\.7\. Received 2"
    ):
        model(obs, torch.full((3, 1), 2.0), obs, END.expand(3))


def test_parts_of_a_reward_receive_the_actions_that_they_read() -> None:
    settings = RewardSettings(1, 1, inputs=("act",), n_actions=3, action_start=5, hidden=())
    one_hot = linear(settings, [10.0, 20.0, 30.0], 0.0)
    number = linear(RewardSettings(1, 1, inputs=("act",), hidden=()), [1.0], 0.0)
    obs, act = torch.zeros(2, 1), torch.tensor([[5.0], [7.0]])
    rows = torch.eye(3)[[0, 2]]
    both = one_hot + 2 * number
    for model, expected in (
        (both, [20.0, 44.0]),
        (EnsembleReward([one_hot, number]), [7.5, 18.5]),
        (NormalizedReward(one_hot), [10.0, 30.0]),
    ):
        assert model.discrete_space == one_hot.discrete_space
        for actions in (act, rows):
            assert model(obs, actions, obs, END.expand(2)).tolist() == expected
    other = MLPReward(RewardSettings(1, 1, inputs=("act",), n_actions=3))
    with pytest.raises(ValueError, match=r"must agree on `action_start`. Received \[0, 5\]"):
        EnsembleReward([both, other])


def test_the_output_is_smooth_in_normalized_units() -> None:
    # 2-64-64-1 with SiLU, as published: 2*64+64 + 64*64+64 + 64+1 weights.
    model = MLPReward(RewardSettings(obs_dim=2, act_dim=1))
    assert sum(p.numel() for p in model.parameters()) == 4417
    x = torch.zeros(1, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(model.from_features(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope[0, 0], x)
    assert curvature.abs().sum() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"obs_dim": 0}, "`obs_dim` must be at least 1. Received 0"),
        ({"act_dim": 0}, "`act_dim` must be at least 1. Received 0"),
        ({"inputs": ()}, r"`inputs` must be some of \('obs', 'act', 'obs_next'\), each once"),
        ({"inputs": ("obs", "obs")}, "`inputs` must be some of"),
        ({"obs_index": (0, 4)}, r"`obs_index` must hold indices between 0 and 3, each once.*\(0, 4\)"),
        ({"obs_index": (-1,)}, "`obs_index` must hold indices between 0 and 3"),
        ({"obs_index": (1, 1)}, "`obs_index` must hold indices between 0 and 3"),
        ({"obs_index": ()}, "`obs_index` must hold indices between 0 and 3"),
        ({"n_actions": 3, "act_dim": 2}, "`n_actions` must be at least 1 and requires `act_dim` 1"),
        ({"n_actions": 0}, "`n_actions` must be at least 1"),
        ({"obs_keys": ()}, "`obs_keys` must name at least one leaf"),
    ],
)
def test_bad_settings_say_what_is_wrong(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPReward(RewardSettings(**{"obs_dim": 4, "act_dim": 1, **changes}))


def test_a_normalizer_of_another_size_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`normalizer` must cover an observation of 4 .*\(6\). Received one of 2"
    ):
        MLPReward(RewardSettings(obs_dim=4, act_dim=2), Normalizer.identity(2))


def norms(model: MLPReward) -> list[float]:
    """Largest singular value of each layer."""
    layers = [layer for layer in model.net if isinstance(layer, torch.nn.Linear)]
    return [torch.linalg.matrix_norm(layer.weight, 2).item() for layer in layers]


def test_spectral_norm_bounds_the_slope_of_every_layer(tmp_path) -> None:
    model = MLPReward(RewardSettings(obs_dim=3, act_dim=1, hidden=(16, 16), spectral_norm=True))
    optim = torch.optim.Adam(model.parameters(), lr=0.05)
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(50):  # trained for a slope of 10
        optim.zero_grad()
        (model.from_features(x) - 10 * x[:, 0]).square().mean().backward()
        optim.step()
    assert norms(model) == pytest.approx([1.0] * 3, abs=1e-5)
    x.requires_grad_()
    (slope,) = torch.autograd.grad(model.from_features(x).sum(), x)
    assert slope.norm(dim=1).max() < 1.1**2
    loaded = load_reward(model.save(tmp_path), device="cpu")
    assert loaded.from_features(x).equal(model.from_features(x))
    # Weights set from outside, as a moving average's are, are bounded all the same.
    averaged = deepcopy(loaded)
    with torch.no_grad():
        for parameter in averaged.parameters():
            parameter.mul_(30).add_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
    assert norms(averaged) == pytest.approx([1.0] * 3, abs=1e-5)


def test_a_reward_saved_before_there_was_spectral_norm_still_loads(tmp_path) -> None:
    model = MLPReward(RewardSettings(obs_dim=3, act_dim=1))
    config = model.save(tmp_path) / "config.json"
    content = json.loads(config.read_text())
    del content["settings"]["spectral_norm"]
    config.write_text(json.dumps(content))
    assert load_reward(tmp_path, device="cpu").settings == model.settings


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize("bad", [(-1,), (64, 0), 64, (1.5,), None])
def test_hidden_layers_have_widths(bad) -> None:
    message = "must (hold integers of at least 1, the width|be a tuple of integers).* Received "
    message += re.escape(repr(bad))
    with pytest.raises(ValueError, match="`hidden` " + message):
        RewardSettings(2, 1, hidden=bad)
    with pytest.raises(ValueError, match="`potential_hidden` " + message):
        AIRLSettings(2, 1, potential_hidden=bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_reward_that_diverged_is_neither_saved_nor_trusted(tmp_path, bad: float) -> None:
    model = linear(RewardSettings(1, 1, hidden=()), [1.0], 0.0)
    model.net[0].bias.data.fill_(bad)
    message = r"weights of a saved reward must be finite\. Received NaN or infinity in 'net\.0\.bias'"
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=rf"but 2 of 2 rows have not\. Received {bad} in row 0; the reward"):
        model.score([[0.0], [1.0]], [[0.0], [0.0]], [[0.0], [0.0]])


@pytest.mark.parametrize("bad", [-1.0, 2.0, 1.4])
def test_numbers_of_no_action_are_refused(bad: float) -> None:
    model = MLPReward(RewardSettings(obs_dim=1, act_dim=1, n_actions=2, inputs=("obs", "act")))
    assert model.score([[0.0]], [[1.0]], [[0.0]]).shape == (1,)
    with pytest.raises(ValueError, match=rf"`act` must be .* Discrete\(2\), .* Received {bad:g}; give"):
        model.score([[0.0]] * 2, [[1.0], [bad]], [[0.0]] * 2)
