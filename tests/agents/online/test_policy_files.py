"""Saved policies: equal actions after loading, and errors."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch

from rlpriors.agents import AlgorithmSettings, load_policy, make_algorithm, save_policy
from rlpriors.checkpoint import CheckpointError

PLANE = gym.spaces.Box(-np.inf, np.inf, (4,))
PUSH = gym.spaces.Box(-2, 2, (2,))
KEYS = gym.spaces.Discrete(3)


@pytest.mark.parametrize(
    ("algorithm", "space"), [("sac", PUSH), ("td3", PUSH), ("ppo", PUSH), ("ppo", KEYS), ("dqn", KEYS)]
)
def test_a_loaded_policy_acts_equally(algorithm, space, tmp_path):
    settings = AlgorithmSettings(algorithm, hidden=(8,), target_update_interval=7)
    policy = make_algorithm(PLANE, space, settings, device="cpu", seed=3).policy.eval()
    folder = save_policy(policy, settings, tmp_path / "policy")
    loaded = load_policy(folder, PLANE, space, device="cpu")
    assert type(loaded) is type(policy)
    assert not loaded.training
    obs = Batch(obs=np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32), info=Batch())
    with torch.no_grad():
        assert np.array_equal(np.asarray(loaded(obs).act), np.asarray(policy(obs).act))


def test_a_policy_for_another_space_is_refused(tmp_path):
    settings = AlgorithmSettings("sac", hidden=(8,))
    policy = make_algorithm(PLANE, PUSH, settings, device="cpu").policy
    folder = save_policy(policy, settings, tmp_path / "policy")
    with pytest.raises(CheckpointError):
        load_policy(folder, gym.spaces.Box(-1, 1, (5,)), PUSH, device="cpu")
