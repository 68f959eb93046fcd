"""Policy of uniformly random actions.

`RandomPolicy`  policy that samples an action space in units of the environment
"""

from copy import deepcopy
from typing import Any, cast

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol

from rlpriors.arguments import check_arguments

__all__ = ["RandomPolicy"]


class RandomPolicy(Policy):
    """Policy that samples its action space uniformly, in units of the environment.

    Tianshou's `RandomActionPolicy` clips its samples to -1..1, independent of the bounds of the action space.
    Unbounded entries of a Box are sampled as by `gymnasium.Space.sample`.

    Args:
        action_space: action space of the environment, wrappers included (`rlpriors.spaces.wrapped_spaces`).
        seed: random seed of the actions.

    Example:
        >>> policy = RandomPolicy(gym.spaces.Box(-2, 2, (1,)), seed=0)
        >>> act = policy(Batch(obs=np.zeros((1000, 3)), info={})).act
        >>> bool(act.min() < -1.9), bool(act.max() > 1.9), policy.map_action(act) is act
        (True, True, True)
    """

    @check_arguments
    def __init__(self, action_space: gym.Space[Any], seed: int = 0) -> None:
        super().__init__(action_space, action_scaling=False, action_bound_method=None)
        # A copy, because the environment seeds and samples its own space.
        self._samples = deepcopy(action_space)
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Restart the sampling of actions from `seed`."""
        self._samples.seed(seed)

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Any = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return one random action for each row of the observations."""
        acts = np.array([self._samples.sample() for _ in range(len(batch.obs))])
        return cast(ActStateBatchProtocol, Batch(act=acts, state=None))
