"""Saved rewards: which folders load, which do not, and what other packages may bring."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest
import torch
from torch import nn

from rlpriors import checkpoint
from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards import (
    REWARDS,
    MLPReward,
    RewardModel,
    RewardSettings,
    ShapedReward,
    base,
    load_reward,
)

SETTINGS = RewardSettings(
    obs_dim=4,
    act_dim=1,
    inputs=("obs", "act"),
    obs_index=(1, 3),
    n_actions=2,
    hidden=(8, 4),
    obs_keys=("goal", "arm/x"),
)


@dataclass(frozen=True)
class BonusSettings:
    bonus: float


class Bonus(RewardModel):
    """A reward that some other package might bring."""

    def __init__(self, settings: BonusSettings) -> None:
        super().__init__()
        self.settings, self.obs_dim, self.act_dim, self.obs_keys = settings, 2, 1, None

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Bonus":
        return cls(BonusSettings(**settings))

    def forward(self, obs, act, obs_next, terminated):
        return obs[:, 0] + self.settings.bonus


def bring(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """As if a package with these entry points were installed."""

    def installed(group: str) -> list[EntryPoint]:
        assert group == "rlpriors.rewards"
        return [EntryPoint(name, value, group) for name, value in values.items()]

    monkeypatch.setattr(base, "entry_points", installed)


def test_every_setting_survives_the_files(tmp_path) -> None:
    loaded = load_reward(str(MLPReward(SETTINGS).save(tmp_path)), device="cpu")
    assert loaded.settings == SETTINGS
    assert loaded.obs_keys == ("goal", "arm/x")
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "config.json", "README.md"}


@pytest.mark.parametrize("name", sorted(REWARDS))
def test_names_are_those_of_the_classes(name: str) -> None:
    assert REWARDS[name].__name__ == name
    assert base.reward_class(name) is REWARDS[name]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of .*'MLPReward'.*'ShapedReward'.*'Nope'"):
        base.reward_class("Nope")


def test_another_packages_reward_joins_by_entry_point(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only needed packages are imported, so that the broken package does no harm.
    bring(monkeypatch, Bonus=f"{__name__}:Bonus", Broken="no_such_module:Reward")
    obs, act, end = torch.zeros(3, 2), torch.zeros(3, 1), torch.zeros(3, dtype=torch.bool)
    loaded = load_reward(Bonus(BonusSettings(0.25)).save(tmp_path / "plain"), device="cpu")
    assert loaded(obs, act, obs, end).tolist() == [0.25] * 3
    shaped = ShapedReward(Bonus(BonusSettings(0.5)), gamma=0.9, hidden=(4,))
    loaded = load_reward(shaped.save(tmp_path / "shaped"), device="cpu")
    torch.testing.assert_close(loaded(obs, act, obs, end), shaped(obs, act, obs, end), rtol=0, atol=0)


def test_a_class_that_cannot_be_loaded_is_not_saved(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    bonus = Bonus(BonusSettings(0.25))
    for reward in (bonus, ShapedReward(bonus, gamma=0.9), 2 * bonus):
        with pytest.raises(ValueError, match=r"Received a Bonus; set `rewards.REWARDS"):
            reward.save(tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(REWARDS, "Bonus", Bonus)
    assert load_reward((2 * bonus).save(tmp_path), device="cpu").score([[1, 0]], [[0]], [[0, 0]]) == 2.5


def test_a_class_with_the_name_of_another_is_not_saved(tmp_path) -> None:
    mine = type("MLPReward", (MLPReward,), {})
    with pytest.raises(ValueError, match=r"a MLPReward .*rlpriors\.rewards\.mlp registered another class"):
        mine(SETTINGS).save(tmp_path)


def test_an_entry_point_must_lead_to_a_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, Linear="torch.nn:Linear")
    with pytest.raises(TypeError, match=r"Entry point 'Linear' of 'rlpriors.rewards' must be a RewardModel"):
        base.reward_class("Linear")


def test_a_missing_folder_says_what_is_wanted(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere is not a checkpoint: it has no config\.json"):
        load_reward(tmp_path / "nowhere", device="cpu")


def test_a_foreign_class_is_never_built(tmp_path) -> None:
    checkpoint.save(nn.Linear(2, 1), BonusSettings(0.0), tmp_path)
    with pytest.raises(
        CheckpointError, match=r"must be of one of .*'MLPReward'.*'ShapedReward'.* Received 'Linear'"
    ):
        load_reward(tmp_path, device="cpu")


def test_damaged_weights_are_noticed(tmp_path) -> None:
    MLPReward(SETTINGS).save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="damaged"):
        load_reward(tmp_path, device="cpu")


def test_weights_of_another_save_are_noticed(tmp_path) -> None:
    MLPReward(SETTINGS).save(tmp_path / "a")
    MLPReward(SETTINGS).save(tmp_path / "b")
    (tmp_path / "a/model.safetensors").replace(tmp_path / "b/model.safetensors")
    with pytest.raises(CheckpointError, match="fingerprints differ"):
        load_reward(tmp_path / "b", device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: "{", "is not JSON"),
        (lambda config: config["settings"].update(width=3) or json.dumps(config), "does not fit MLPReward"),
        (
            lambda config: config["settings"].update(obs_dim=0) or json.dumps(config),
            "`obs_dim` must be at least 1",
        ),
        (
            lambda config: config["settings"].update(hidden=[3]) or json.dumps(config),
            "does not fit MLPReward",
        ),
    ],
)
def test_a_damaged_configuration_is_noticed(tmp_path, change, message: str) -> None:
    MLPReward(SETTINGS).save(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(change(json.loads(config.read_text())))
    with pytest.raises(CheckpointError, match=message):
        load_reward(tmp_path, device="cpu")


def test_an_unknown_device_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="`device`"):
        load_reward(MLPReward(SETTINGS).save(tmp_path), device="abacus")
