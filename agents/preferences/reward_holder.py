"""Policy in the place of one in trainings of a reward alone.

`RewardHolder`  policy that holds the device and cannot act
"""

from typing import Any, NoReturn

import gymnasium as gym
import torch
from tianshou.algorithm.algorithm_base import Policy

from rlpriors.data.episodes import EpisodeStore

__all__ = ["RewardHolder"]


class RewardHolder(Policy):
    """Policy in the place of one in trainings of a reward alone; it holds the device and cannot act.

    Example:
        >>> RewardHolder(gym.spaces.Discrete(2), torch.device("cpu")).device
        device(type='cpu')
    """

    obs_keys = None

    def __init__(self, action_space: gym.Space[Any], device: torch.device) -> None:
        super().__init__(action_space=action_space, action_bound_method=None)
        self.device = device

    def check_data(self, data: EpisodeStore) -> None:
        """Accept any data; the algorithm checks them."""

    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> NoReturn:
        """Raise, because a reward alone does not act."""
        raise NotImplementedError(
            "This training learns a reward and no policy; train a policy on the reward."
        )
