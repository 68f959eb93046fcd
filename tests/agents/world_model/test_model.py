"""Learned worlds: predictions and losses in hand-worked cases, sizes from data, files."""

import json
import math
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from corridor_env import Corridor, rollouts
from line_world import ACT_SPACE, line_model

from rlpriors.agents import WorldModel, WorldModelSettings, load_world_model, save_world_model
from rlpriors.checkpoint import CheckpointError
from rlpriors.data.episodes import Episode, EpisodeStore


def walk_store(ended: bool = False, high: float = 20.0) -> EpisodeStore:
    obs = np.linspace(0, high, 21)[:, None]
    flags = np.zeros((3, 20))
    flags[1, -1] = ended
    return EpisodeStore.from_episodes([Episode(obs, np.ones((20, 1)), *flags)], action_space=ACT_SPACE)


def test_predictions_of_two_members() -> None:
    found = line_model((1.0, 3.0)).predict(torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    assert found.mean.flatten().tolist() == [3.0, 7.0]
    assert found.disagreement.tolist() == [2.0]  # standard deviation of the changes 2 and 6
    assert found.std.abs().sum() == 0


def test_probability_of_an_end() -> None:
    model, zero = line_model(), torch.zeros(3, 1)
    found = model.end_probability(zero, zero, torch.tensor([[2.5], [2.6], [2.4]]))
    torch.testing.assert_close(found, torch.sigmoid(torch.tensor([0.0, 1.0, -1.0])))


def test_squared_error_and_cross_entropy() -> None:
    obs, act, after = torch.zeros(2, 1, 1), torch.ones(2, 1, 1), torch.full((2, 1, 1), 2.5)
    change, end = line_model((1.0, 3.0)).error(obs, act, after, torch.ones(2, 1, dtype=torch.bool))
    assert change.item() == pytest.approx((1.5**2 + 0.5**2) / 2)
    assert end.item() == pytest.approx(math.log(2))


def test_gaussian_likelihood() -> None:
    model = line_model((1.0,), head="gaussian")
    obs, act, after = torch.zeros(1, 1, 1), torch.ones(1, 1, 1), torch.full((1, 1, 1), 1.5)
    loss, _ = model.error(obs, act, after, torch.zeros(1, 1, dtype=torch.bool))
    assert loss.item() == pytest.approx(0.5 * (0.5 * math.exp(2)) ** 2 - 2)  # the deviation is exp(-2)
    assert model.predict(obs[0], act[0]).std.item() == pytest.approx(math.exp(-2))


def test_sizes_and_range_from_data() -> None:
    space = gym.spaces.Box(-3, 25, (1,))
    model = WorldModel.fit(walk_store(ended=True), observation_space=space, range_margin=0.5, n_members=2)
    assert model.settings == WorldModelSettings(1, 1, n_members=2, terminates=True, range_margin=0.5)
    assert (model.low.item(), model.high.item()) == (-3.0, 25.0)  # -10 and 30 cut at the space
    assert model.change.loc.item() == pytest.approx(1.0)
    assert (model.act.loc.item(), model.act.scale.item()) == (0.0, 1.0)
    far = model.predict(torch.tensor([[1e6]]), torch.tensor([[1.0]])).mean
    assert far.flatten().tolist() == [25.0, 25.0]


def test_no_classifier_without_terminations() -> None:
    model = WorldModel.fit(walk_store())
    assert model.ends is None
    assert model.end_probability(*torch.zeros(3, 4, 1)).tolist() == [0.0] * 4
    assert model.low.item() == -10.0


def test_discrete_actions_with_a_start() -> None:
    model = WorldModel.fit(rollouts(Corridor(start=5), 4, "random"), n_members=2)
    assert (model.settings.n_actions, model.settings.action_start) == (3, 5)
    assert model.predict(torch.zeros(2, 1), torch.tensor([[5.0], [7.0]])).mean.shape == (2, 2, 1)
    with pytest.raises(ValueError, match="must be actions of Discrete"):
        model.predict(torch.zeros(1, 1), torch.zeros(1, 1))


def test_equal_seeds_give_equal_weights() -> None:
    first, again, other = (WorldModel.fit(walk_store(), seed=seed) for seed in (3, 3, 4))
    weights = [model.dynamics.weights[0] for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unusable_data() -> None:
    steps = (np.zeros((2, 1)), *np.zeros((3, 2)))
    images = EpisodeStore.from_episodes([Episode(np.zeros((3, 8, 8, 1), np.uint8), *steps)])
    with pytest.raises(ValueError, match="must have vectors of real numbers"):
        WorldModel.fit(images, action_space=ACT_SPACE)
    plain = EpisodeStore.from_episodes([Episode(np.zeros((3, 1)), *steps)])
    with pytest.raises(ValueError, match="`action_space` must be the Box or Discrete"):
        WorldModel.fit(plain)
    with pytest.raises(ValueError, match="must have the action space of"):
        WorldModel.fit(walk_store(), action_space=gym.spaces.Box(-2, 2, (1,)))


@pytest.mark.parametrize(
    ("field", "value"),
    [("obs_dim", 0), ("n_members", 0), ("hidden", (0,)), ("range_margin", -0.1), ("n_actions", 0)],
)
def test_settings_out_of_bounds(field: str, value: object) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        WorldModelSettings(**{"obs_dim": 2, "act_dim": 1, field: value})  # type: ignore[arg-type]


def test_files_restore_the_world(tmp_path: Path) -> None:
    model = WorldModel.fit(walk_store(ended=True), head="gaussian", hidden=(8, 4))
    again = load_world_model(save_world_model(model, tmp_path), device="cpu")
    assert again.settings == model.settings
    assert (again.observation_space, again.action_space) == (model.observation_space, model.action_space)
    inputs = torch.tensor([[3.0], [9.0]]), torch.tensor([[0.5], [-0.5]])
    for found, expected in zip(again.predict(*inputs), model.predict(*inputs), strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(again.end_probability(*inputs, inputs[0]), model.end_probability(*inputs, inputs[0]))


def test_files_of_something_else(tmp_path: Path) -> None:
    save_world_model(line_model(), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "class": "MLPReward"}))
    with pytest.raises(CheckpointError, match="must be of one of"):
        load_world_model(tmp_path, device="cpu")
    (tmp_path / "config.json").write_text(json.dumps({**config, "world": {"obs_layout": 3}}))
    with pytest.raises(CheckpointError, match="damaged world"):
        load_world_model(tmp_path, device="cpu")
