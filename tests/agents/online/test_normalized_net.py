"""Normalization of observations inside the networks of online algorithms."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch

from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.normalized_net import NormalizedNet
from rlpriors.agents.online.policy_files import load_policy, save_policy
from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.data.normalize import Normalizer

OBS = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
BOX, DISCRETE = gym.spaces.Box(-1, 1, (1,), np.float32), gym.spaces.Discrete(3)
LOC, SCALE = torch.tensor([20.0, 0.5]), torch.tensor([10.0, 0.001])
RAW = np.array([[30.0, 0.501], [0.0, 0.498]], np.float32)  # degrees and fractions
SCALED = np.array([[1.0, 1.0], [-2.0, -2.0]], np.float32)


def test_the_map_by_hand_leaves_further_inputs() -> None:
    net = NormalizedNet(
        Normalizer(LOC, SCALE), state_shape=(2,), action_shape=(1,), hidden_sizes=(4,), concat=True
    )
    actions = np.array([[0.5], [-3.0]], np.float32)
    expected = net.model(torch.as_tensor(np.concatenate([SCALED, actions], 1)))
    assert torch.allclose(net(np.concatenate([RAW, actions], 1))[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "actions"), [("sac", BOX), ("td3", BOX), ("ppo", BOX), ("ppo", DISCRETE), ("dqn", DISCRETE)]
)
def test_raw_and_scaled_observations_give_the_same_actions(
    name: AlgorithmName, actions: gym.Space, tmp_path: Path
) -> None:
    settings = AlgorithmSettings(name, hidden=(8,), normalize_observations=True)
    normalizer = Normalizer(LOC, SCALE)
    raw = make_algorithm(OBS, actions, settings, obs_normalizer=normalizer, device="cpu", seed=1).policy
    plain = make_algorithm(OBS, actions, AlgorithmSettings(name, hidden=(8,)), device="cpu", seed=1).policy
    raw.eval()
    plain.eval()
    folder = save_policy(raw, settings, tmp_path / "policy")
    loaded = load_policy(folder, OBS, actions, device="cpu")
    with torch.no_grad():
        act, expected = raw(Batch(obs=RAW, info={})).act, plain(Batch(obs=SCALED, info={})).act
        again = loaded(Batch(obs=RAW, info={})).act
    assert np.allclose(act, expected, atol=1e-4)
    assert np.array_equal(again, act)


def test_a_normalizer_of_another_size_or_without_the_setting_is_refused() -> None:
    on = AlgorithmSettings("dqn", normalize_observations=True)
    with pytest.raises(ValueError, match=r"2 entries of an observation. Received 3"):
        make_algorithm(OBS, DISCRETE, on, obs_normalizer=Normalizer.identity(3), device="cpu")
    with pytest.raises(ValueError, match=r"only with AlgorithmSettings\(normalize_observations=True\)"):
        make_algorithm(
            OBS, DISCRETE, AlgorithmSettings("dqn"), obs_normalizer=Normalizer.identity(2), device="cpu"
        )
