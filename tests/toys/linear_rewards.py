"""Linear rewards of one-dimensional states, and their scores."""

from typing import Any

import torch

from rlpriors.rewards import MLPReward, RewardModel, RewardSettings


def linear_reward(slope: float, bias: float = 0.0, **settings: Any) -> MLPReward:
    """Return the reward r(s) = slope * s + bias of a one-dimensional state s."""
    model = MLPReward(RewardSettings(**{"obs_dim": 1, "act_dim": 1, "hidden": (), **settings}))
    (layer,) = model.net
    layer.weight.data.fill_(slope)
    layer.bias.data.fill_(bias)
    return model


def score_states(model: RewardModel, *states: float) -> torch.Tensor:
    """Return the rewards of these states."""
    obs = torch.tensor(states)[:, None]
    return model(obs, obs, obs, torch.zeros(len(obs), dtype=torch.bool))
