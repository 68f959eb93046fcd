"""Observations as one vector.

`FlatObservation`  wrapper that returns chosen leaves of an observation as one vector
`FlatBox`          its observation space, which records the leaves
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float32

from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import observation_shape, select_observation

__all__ = ["FlatBox", "FlatObservation"]


class FlatBox(gym.spaces.Box):
    """Box of vectors that consist of leaves of a Dict observation.

    Example:
        >>> space = FlatBox(-np.inf, np.inf, (3,), np.float32)
        >>> space.obs_layout = ObservationLayout(("position", "goal"), ((2,), (1,)))
        >>> space.obs_layout.keys
        ('position', 'goal')
    """

    obs_layout: ObservationLayout | None = None
    """Leaves in the order of the entries; None if the observation is not a Dict."""


class FlatObservation(
    gym.ObservationWrapper[np.ndarray, Any, Any],
    gym.utils.RecordConstructorArgs,
):
    """Wrapper that returns the leaves `obs_keys` of a Dict observation as one float32 vector.

    An observation that is not a Dict is flattened.

    Args:
        env: environment with numeric observations.
        obs_keys: leaves in the order of the vector; None for all leaves, sorted, and for other observations.

    Example:
        >>> space = gym.spaces.Dict(xy=gym.spaces.Box(-1, 1, (2,)), goal=gym.spaces.Box(-1, 1, (2,)))
        >>> env = gym.wrappers.TransformObservation(
        ...     gym.make("CartPole-v1"), lambda obs: {"xy": obs[:2], "goal": obs[2:]}, space)
        >>> FlatObservation(env, ["xy"]).observation_space.shape
        (2,)
    """

    def __init__(self, env: gym.Env[Any, Any], obs_keys: Sequence[str] | None = None) -> None:
        keys = None if obs_keys is None else tuple(obs_keys)
        gym.utils.RecordConstructorArgs.__init__(self, obs_keys=keys)
        gym.ObservationWrapper.__init__(self, env)
        self.obs_keys = keys if isinstance(env.observation_space, gym.spaces.Dict) else None
        size = int(np.prod(observation_shape(env.observation_space, self.obs_keys)))
        space = FlatBox(-np.inf, np.inf, (size,), np.float32)
        # Readers of vectors compare it with the leaves that they were trained on.
        space.obs_layout = ObservationLayout.of(env.observation_space, self.obs_keys)
        self.observation_space = space

    def observation(self, observation: Any) -> Float32[np.ndarray, " obs"]:
        return np.array(select_observation(observation, self.obs_keys), np.float32).reshape(-1)
