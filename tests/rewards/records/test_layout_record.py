import json

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.rewards import EnsembleReward, MLPReward, NormalizedReward, RewardSettings, load_reward
from rlpriors.wrappers import LearnedReward
from rlpriors.wrappers.flat_observation import FlatObservation

BOX = gym.spaces.Box(-9, 9, (1,))
KEYS, SORTED = ("position", "goal"), ("goal", "position")
SHAPES = ((1,), (1,))


class Env(gym.Env):
    """Environment of one observation: position 1, goal -5."""

    observation_space = gym.spaces.Dict(position=BOX, goal=BOX)
    action_space = BOX

    def reset(self, *, seed=None, options=None):
        return {"position": np.float32([1]), "goal": np.float32([-5])}, {}

    def step(self, action):
        return {"position": np.float32([1]), "goal": np.float32([-5])}, 0.0, False, False, {}


def make_store(keys=KEYS):
    obs = {name: np.tile(value, (3, 1)) for name, value in Env().reset()[0].items()}
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((2, 1)), *np.zeros((3, 2)))], keys)


def first_entry(**settings):
    """r(s) = first entry of the observation."""
    reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, hidden=(), **settings))
    reward.net[0].weight.data = torch.tensor([[1.0, 0.0]])
    reward.net[0].bias.data.zero_()
    return reward


def step(env):
    env.reset()
    return env.step(np.float32([0]))[1]


def test_data_and_environment_give_one_reward():
    reward, store = first_entry(), make_store()
    reward.record_layout(store.obs_layout)
    assert store.relabel(reward).rew[0] == 1.0
    assert step(LearnedReward(Env(), reward)) == 1.0
    assert step(LearnedReward(FlatObservation(Env(), KEYS), reward)) == 1.0


def test_an_unrecorded_order_is_not_guessed():
    with pytest.raises(ValueError, match=r"order of the observation leaves \('goal' \(1,\), 'pos"):
        LearnedReward(Env(), first_entry())
    assert step(LearnedReward(Env(), first_entry(), obs_keys=KEYS)) == 1.0


@pytest.mark.parametrize(
    "make", [lambda r: r, NormalizedReward, lambda r: EnsembleReward([r, first_entry()])]
)
def test_it_is_saved(make, tmp_path):
    reward = make(first_entry())
    reward.record_layout(make_store().obs_layout)
    loaded = load_reward(reward.save(tmp_path), device="cpu")
    assert loaded.obs_layout == ObservationLayout(KEYS, SHAPES)
    assert step(LearnedReward(Env(), loaded)) == step(LearnedReward(Env(), reward))


def test_an_earlier_file_has_recorded_none(tmp_path):
    first_entry().save(tmp_path)
    assert "obs_layout" not in json.loads((tmp_path / "config.json").read_text())
    assert load_reward(tmp_path, device="cpu").obs_layout is None
    first_entry(obs_keys=KEYS).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["obs_layout"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_reward(tmp_path, device="cpu").obs_layout == ObservationLayout(KEYS)


def test_a_damaged_record_is_refused(tmp_path):
    first_entry(obs_keys=KEYS).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for bad in ({"keys": list(SORTED), "shapes": None}, {"keys": 3}, {"keys": ["a"], "shapes": [[9]]}):
        (tmp_path / "config.json").write_text(json.dumps(config | {"obs_layout": bad}))
        with pytest.raises(CheckpointError, match="invalid layout"):
            load_reward(tmp_path, device="cpu")


@pytest.mark.parametrize(
    "read",
    [
        lambda reward: make_store(SORTED).relabel(reward),
        lambda reward: LearnedReward(Env(), reward, obs_keys=SORTED),
        lambda reward: LearnedReward(FlatObservation(Env()), reward),
        lambda reward: reward.record_layout(make_store(SORTED).obs_layout),
    ],
    ids=["store", "keys", "flat environment", "training data"],
)
def test_another_order_is_refused(read):
    both = r"leaves \('position'( \(1,\))?, 'goal'( \(1,\))?\).*Received \('goal' \(1,\), 'position' \(1,\)\)"
    with pytest.raises(ValueError, match=both):
        read(first_entry(obs_keys=KEYS))
