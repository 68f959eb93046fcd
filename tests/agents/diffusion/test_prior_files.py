"""Saved priors plan as the ones that were saved."""

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from puck_env import Puck
from rocket_env import Rocket
from torch import nn

from rlpriors.agents import DiffuserPolicy, TrajectoryLayout, load_prior, save_prior
from rlpriors.checkpoint import CheckpointError
from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
from rlpriors.envs.random_data import collect_random
from rlpriors.training.reward_learning.stages import make_planner


def planner(env: type[gym.Env], absorbing: bool = False) -> DiffuserPolicy:
    data = collect_random(env, 300, seed=0, progress=False)
    layout = TrajectoryLayout.fit(data, 8, absorbing=absorbing)
    assert data.action_space is not None
    return make_planner(layout, data.action_space, device="cpu", seed=3)


@pytest.mark.parametrize(("env", "absorbing"), [(Puck, False), (Rocket, True)])
def test_a_loaded_prior_plans_the_same(env, absorbing, tmp_path):
    policy = planner(env, absorbing)
    save_prior(policy, tmp_path / "prior")
    loaded = load_prior(tmp_path / "prior", action_space=env.action_space, device="cpu")
    assert loaded.layout.absorbing == absorbing
    assert loaded.obs_layout == policy.obs_layout
    starts = np.random.default_rng(0).normal(size=(3, policy.layout.obs_dim)).astype(np.float32)
    for each in (policy, loaded):
        each.reseed(5)
    assert torch.equal(policy.plan(starts), loaded.plan(starts))
    windows = policy.plan(starts)
    assert torch.equal(policy.actions(windows), loaded.actions(windows))


def test_what_is_not_saved_is_refused(tmp_path):
    policy = planner(Puck)
    with pytest.raises(ValueError, match="`action_space` must have the action space of the prior"):
        load_prior(save_prior(policy, tmp_path / "prior"), action_space=gym.spaces.Box(-1, 1, (2,)))
    config = json.loads((tmp_path / "prior/config.json").read_text())
    del config["prior"]["horizon"]
    (tmp_path / "prior/config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="invalid prior: 'horizon'"):
        load_prior(tmp_path / "prior")
    policy.process = DiffusionProcess(NoiseSchedule(50, "linear"))
    with pytest.raises(ValueError, match="Received another one"):
        save_prior(policy, tmp_path / "other")
    policy.denoiser = nn.Identity()
    with pytest.raises(ValueError, match="Received a Identity"):
        save_prior(policy, tmp_path / "other")
