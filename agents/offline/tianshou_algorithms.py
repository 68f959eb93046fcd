"""Tianshou's offline algorithms, seeded and resumable.

`SeededTD3BC`        TD3+BC (arXiv 2106.06860)
`SeededCQL`          CQL (arXiv 2006.04779) for Box actions
`SeededDiscreteCQL`  CQL with quantiles for Discrete actions
"""

from typing import Any

import numpy as np
from tianshou.algorithm.imitation.cql import CQL
from tianshou.algorithm.imitation.discrete_cql import DiscreteCQL
from tianshou.algorithm.imitation.td3_bc import TD3BC
from tianshou.data import ReplayBuffer

from rlpriors.agents.offline.seeded_training import RewardScale, SeededTraining

__all__ = ["SeededCQL", "SeededDiscreteCQL", "SeededTD3BC"]


class SeededTD3BC(SeededTraining[Any], TD3BC):  # type: ignore[misc]  # two trainers, as Tianshou's own
    """Tianshou's TD3+BC, whose updates depend on a seed and their number only.

    Args:
        seed: random seed of batches and of the noise on target actions.
        reward_scale: factor on rewards; "auto" makes the range of returns the mean length of an episode.
        arguments: arguments of Tianshou's `TD3BC`.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import OfflineSettings, make_offline_algorithm
        >>> settings = OfflineSettings("td3-bc", hidden=(8,))
        >>> spaces = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (1,))
        >>> type(make_offline_algorithm(*spaces, settings, device="cpu")).__name__
        'SeededTD3BC'
    """

    def __init__(self, *, seed: int = 0, reward_scale: RewardScale = 1.0, **arguments: Any) -> None:
        TD3BC.__init__(self, **arguments)
        inputs = {"gamma": self.gamma, "tau": self.tau, "alpha": self.alpha}
        self._start_training(seed, reward_scale, inputs)


class SeededCQL(SeededTraining[Any], CQL):
    """Tianshou's CQL, whose updates depend on a seed and their number only.

    The weight of the penalty is fixed, and the values are not calibrated.  Truncated steps keep the value of
    their next state, which Tianshou's CQL drops: it reads `done` where `terminated` is meant.

    Args:
        seed: random seed of batches and actions.
        reward_scale: factor on rewards; "auto" makes the range of returns the mean length of an episode.
        arguments: arguments of Tianshou's `CQL`.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import OfflineSettings, make_offline_algorithm
        >>> settings = OfflineSettings("cql", hidden=(8,))
        >>> spaces = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (1,))
        >>> type(make_offline_algorithm(*spaces, settings, device="cpu")).__name__
        'SeededCQL'
    """

    def __init__(self, *, seed: int = 0, reward_scale: RewardScale = 1.0, **arguments: Any) -> None:
        # Tianshou draws the random actions from -min_action to max_action.
        CQL.__init__(self, min_action=1.0, with_lagrange=False, calibrated=False, **arguments)
        inputs = {"gamma": self.gamma, "tau": self.tau, "cql_weight": self.cql_weight}
        self._start_training(seed, reward_scale, inputs)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        batch = super()._preprocess_batch(batch, buffer, indices)
        batch.done = batch.terminated
        return batch


class SeededDiscreteCQL(SeededTraining[Any], DiscreteCQL):  # type: ignore[misc]  # two trainers
    """Tianshou's discrete CQL, whose updates depend on a seed and their number only.

    Args:
        seed: random seed of batches.
        reward_scale: factor on rewards; "auto" makes the range of returns the mean length of an episode.
        arguments: arguments of Tianshou's `DiscreteCQL`.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import OfflineSettings, make_offline_algorithm
        >>> settings = OfflineSettings("cql", hidden=(8,))
        >>> spaces = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Discrete(2)
        >>> type(make_offline_algorithm(*spaces, settings, device="cpu")).__name__
        'SeededDiscreteCQL'
    """

    def __init__(self, *, seed: int = 0, reward_scale: RewardScale = 1.0, **arguments: Any) -> None:
        DiscreteCQL.__init__(self, **arguments)
        inputs = {"gamma": self.gamma, "min_q_weight": self.min_q_weight}
        self._start_training(seed, reward_scale, inputs)
