"""Conversion between the units of a policy's actions and the environment's.

`to_transition`    batch of a buffer as a transition in the environment's units
`to_policy_units`  environment actions in the policy's units, as a buffer contains them
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch

from rlpriors.data.observations import select_observation
from rlpriors.types import Transition

__all__ = ["to_policy_units", "to_transition"]


def to_transition(
    batch: Any, policy: Policy, obs_keys: Sequence[str] | None = None, device: torch.device | str = "cpu"
) -> Transition:
    """Convert a batch of a buffer to a transition in the environment's units.

    A buffer contains actions in the policy's units; `policy.map_action` scales and clips them.
    `obs_keys` are the leaves of a Dict observation; other observations ignore them.
    """
    mapped = policy.map_action(batch.act)
    act = mapped[:, None] if mapped.ndim == 1 else mapped
    parts = _observation(batch.obs, obs_keys), act, _observation(batch.obs_next, obs_keys)
    tensors = [torch.as_tensor(np.asarray(part, np.float32), device=device) for part in parts]
    terminated = torch.as_tensor(np.asarray(batch.terminated, bool), device=device)
    return Transition(tensors[0], tensors[1], tensors[2], terminated)


def to_policy_units(policy: Policy, act: np.ndarray) -> np.ndarray:
    """Invert `policy.map_action` for environment actions.

    Under a tanh, actions at the bounds have no inverse; they are moved inside by a millionth of the
    range.
    """
    if not isinstance(policy.action_space, gym.spaces.Box):
        return act
    low, high = policy.action_space.low, policy.action_space.high
    bounded = np.clip(act, low, high)
    if policy.action_bound_method == "tanh":
        middle = (low + high) / 2
        bounded = middle + (bounded - middle) * (1 - 1e-6)
    return policy.map_action_inverse(bounded).astype(act.dtype)


def _observation(part: Any, keys: Sequence[str] | None) -> np.ndarray:
    if not isinstance(part, Batch):
        return np.asarray(part)
    return select_observation(part.to_dict(), keys, batch_dims=1)
