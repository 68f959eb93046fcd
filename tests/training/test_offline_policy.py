"""Policies from recorded transitions: relabeled rewards decide, and what does not fit is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bandits import arms
from tianshou.data import Batch

from rlpriors.agents import OfflineSettings
from rlpriors.checkpoint import CheckpointError
from rlpriors.training.offline_policy import train_offline_policy

SETTINGS = OfflineSettings(hidden=(16,), lr=1e-2, tau=0.05, beta=10.0, reward_scale=1.0)


def best_arm(policy: Any) -> int:
    return int(policy(Batch(obs=np.zeros((1, 2), np.float32), info={})).act[0])


def test_the_policy_follows_the_reward_that_labels_the_data(tmp_path: Path) -> None:
    data = arms(200, seed=0)
    arguments = {"n_updates": 150, "batch_size": 64, "device": "cpu"}
    own = train_offline_policy(data, SETTINGS, folder=tmp_path / "own", **arguments)
    opposite = data.relabel(lambda obs, act, obs_next, terminated: 1 - act[:, 0])
    other = train_offline_policy(opposite, SETTINGS, folder=tmp_path / "opposite", **arguments)
    assert (best_arm(own), best_arm(other)) == (1, 0)
    with pytest.raises(CheckpointError, match="was trained with data"):  # the same steps, other rewards
        train_offline_policy(opposite, SETTINGS, folder=tmp_path / "own", resume=True, **arguments)


def test_unknown_actions_and_images_are_refused(tmp_path: Path) -> None:
    data = arms(8, seed=0)
    with pytest.raises(ValueError, match=r"`action_space` must be known\. Received data that record none"):
        train_offline_policy(replace(data, action_space=None), folder=tmp_path)
    images = replace(data, obs=np.zeros((16, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match=r"`data` must have vectors .* Received shape \(4, 4, 3\)"):
        train_offline_policy(images, folder=tmp_path)
    assert not list(tmp_path.iterdir())
