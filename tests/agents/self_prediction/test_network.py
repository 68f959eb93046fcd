"""Network and policy of self-prediction: layouts of frames, files, sizes and spaces."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from tianshou.data import Batch

from rlpriors.agents import (
    PixelValueSettings,
    SelfPredictionSettings,
    load_pixel_policy,
    make_pixel_policy,
    save_pixel_policy,
)
from rlpriors.checkpoint import CheckpointError

SPACE = gym.spaces.Box(0, 255, (1, 12, 12), np.uint8)
LAYERS = ((8, 4, 2),)


def test_layouts_of_frames_are_equivalent() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 9, 11, 3), np.uint8)
    policies = [
        make_pixel_policy(
            gym.spaces.Box(0, 255, shape, np.uint8),
            gym.spaces.Discrete(2),
            channels_last=last,
            layers=LAYERS,
            device="cpu",
        )
        for shape, last in (((9, 11, 3), True), ((3, 9, 11), False))
    ]
    outputs = [
        policy.model(obs)[0]
        for policy, obs in zip(policies, (frames, np.moveaxis(frames, -1, 1)), strict=True)
    ]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(outputs[0].sum(-1), torch.ones(2, 2))
    reals = policies[0].model(frames / np.float64(255))[0]
    torch.testing.assert_close(outputs[0], reals)
    with pytest.raises(ValueError, match="must be frames of shape"):
        policies[1].model(frames)


def test_files_restore_the_policy(tmp_path: Path) -> None:
    policy = make_pixel_policy(
        SPACE,
        gym.spaces.Discrete(3),
        layers=LAYERS,
        hidden=16,
        n_atoms=5,
        v_min=-2.0,
        v_max=2.0,
        device="cpu",
    )
    again = load_pixel_policy(save_pixel_policy(policy, tmp_path), device="cpu", exploration=0.2)
    obs = np.random.default_rng(0).integers(0, 256, (5, 1, 12, 12), np.uint8)
    batch = Batch(obs=obs, info={})
    assert torch.equal(policy(batch).logits, again(batch).logits)
    assert (again.v_min, again.v_max, again.eps_training) == (-2.0, 2.0, 0.2)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError):
        load_pixel_policy(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n_actions": 0}, "`n_actions` must be at least 1"),
        ({"n_atoms": 1}, "`n_atoms` must be at least 2"),
        ({"layers": ((8, 3),)}, "`layers` must hold"),
    ],
)
def test_sizes_out_of_bounds(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelValueSettings(**{"obs_shape": (1, 12, 12), "n_actions": 2, "layers": LAYERS, **fields})


def test_frames_that_are_too_small_for_the_layers() -> None:
    with pytest.raises(ValueError, match="`layers` must fit frames"):
        make_pixel_policy(SPACE, gym.spaces.Discrete(2), layers=((8, 20, 1),))


@pytest.mark.parametrize("fields", [{"n_steps": 0}, {"weight": -1.0}, {"shift": -1}, {"decay": 1.0}])
def test_settings_out_of_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(fields))}` must be"):
        SelfPredictionSettings(**fields)


def test_spaces_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="three axes"):
        make_pixel_policy(gym.spaces.Box(0, 1, (4,)), gym.spaces.Discrete(2))
    with pytest.raises(ValueError, match="must be Discrete"):
        make_pixel_policy(SPACE, gym.spaces.Box(0, 1, (1,)))
