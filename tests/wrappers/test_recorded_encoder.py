"""Rewards that were learned from features refuse environments with another encoder."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from spot_env import Spot
from tianshou.env import DummyVectorEnv

from rlpriors.encoders import EncoderRecord, load_encoder
from rlpriors.rewards import MLPReward, NormalizedReward, RewardSettings, load_reward
from rlpriors.wrappers import (
    EncodeObservation,
    LearnedReward,
    VectorEncodeObservation,
    VectorLearnedReward,
)
from rlpriors.wrappers.flat_observation import FlatObservation
from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward

MESSAGE = "`reward` must receive features of the encoder that it was trained with, 'nature-cnn'"


@pytest.fixture(scope="module")
def encoders():
    return [load_encoder("nature-cnn", weights="none", seed=seed, device="cpu") for seed in range(2)]


@pytest.fixture(scope="module")
def reward(encoders, tmp_path_factory):
    """A sum, saved and loaded, as `rlpriors learn-reward` makes it."""
    base = MLPReward(RewardSettings(obs_dim=512, act_dim=1))
    combined = 2 * base
    combined.record_encoder(EncoderRecord(encoders[0].fingerprint(), {"encoder": "nature-cnn"}))
    return load_reward(combined.save(tmp_path_factory.mktemp("reward")), device="cpu")


def single(encoder, reward):
    return LearnedReward(EncodeObservation(Spot(), encoder), reward)


def flat(encoder, reward):
    return LearnedReward(FlatObservation(EncodeObservation(Spot(), encoder)), reward)


def vector(encoder, reward):
    return VectorLearnedReward(VectorEncodeObservation(SyncVectorEnv([Spot] * 2), encoder), reward)


def inside_a_vector(encoder, reward):
    return VectorLearnedReward(SyncVectorEnv([lambda: EncodeObservation(Spot(), encoder)] * 2), reward)


def tianshou(encoder, reward):
    return TianshouLearnedReward(TianshouEncodeObservation(DummyVectorEnv([Spot] * 2), encoder), reward)


def inside_tianshou(encoder, reward):
    return TianshouLearnedReward(DummyVectorEnv([lambda: EncodeObservation(Spot(), encoder)] * 2), reward)


@pytest.mark.parametrize("make", [single, flat, vector, inside_a_vector, tianshou, inside_tianshou])
def test_another_encoder_is_refused(make, encoders, reward) -> None:
    make(encoders[0], reward).reset()
    with pytest.raises(ValueError, match=MESSAGE):
        make(encoders[1], reward)


def test_stored_features_and_rewards_without_record_are_accepted(encoders, reward) -> None:
    space = gym.spaces.Box(-np.inf, np.inf, (512,), np.float32)
    stored = gym.wrappers.TransformObservation(Spot(), lambda obs: np.zeros(512, np.float32), space)
    encoded = EncodeObservation(Spot(), encoders[1])
    for env in (LearnedReward(stored, reward), LearnedReward(encoded, MLPReward(RewardSettings(512, 1)))):
        assert env.reset(seed=0)[0].shape == (512,)
        assert np.isfinite(env.step(env.action_space.sample())[1])


def test_rewards_that_contain_it_record_it_too(encoders, reward) -> None:
    assert NormalizedReward(reward).obs_encoder == reward.obs_encoder
    other = EncoderRecord(encoders[1].fingerprint())
    with pytest.raises(ValueError, match="Received an encoder with another weights"):
        reward.record_encoder(other)
    mine = MLPReward(RewardSettings(512, 1))
    mine.record_encoder(other)
    with pytest.raises(ValueError, match="Received an encoder with another weights"):
        _ = reward + mine


def test_a_damaged_record_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="must hold `fingerprint` and `options`"):
        EncoderRecord.from_dict({"fingerprint": {}})
