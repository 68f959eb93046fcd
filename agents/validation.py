"""Checks of what policies and algorithms receive: observations, data and arguments.

`read_observations`  checked observations of a batch as vectors on a device
`check_sizes`        check of a data set's observation and action sizes
`check_actions_of`   check of a data set's actions against a policy's action space
`check_spaces`       check of a policy's spaces against those of its environment
`check_buffer`       check of the buffer of a training
`check_type`         check of an argument's class
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import ReplayBuffer
from torch import Tensor

from rlpriors.agents.observation_reader import select_leaves
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.spaces import same_actions, wrapped_spaces
from rlpriors.spaces.actions import check_action_spaces, check_actions

__all__ = [
    "check_actions_of",
    "check_buffer",
    "check_sizes",
    "check_spaces",
    "check_type",
    "read_observations",
]


def read_observations(
    obs: Any, layout: ObservationLayout | None, dim: int, device: torch.device
) -> Float[Tensor, "batch dim"]:
    """Convert a batch's observations to one vector of `dim` entries per row.

    Args:
        obs: an array or tensor [batch, ...], or a (nested) batch or dictionary of these.
        layout: leaves of a dictionary observation, as in `select_leaves`.
        dim: expected number of entries.
        device: device of the vectors.

    Raises:
        ValueError: the observations have another number of entries or other leaves, or contain NaN or
            infinity.
    """
    obs = select_leaves(obs, layout)
    if not isinstance(obs, Tensor):
        # A copy, because torch warns about read-only arrays and refuses reversed ones.
        obs = torch.from_numpy(np.array(obs, np.float32, order="C"))
    rows: Tensor = obs.to(device).float().reshape(len(obs), -1)
    if rows.shape[1] != dim:
        raise ValueError(
            f"`obs` must have {dim} entries, as the data that the policy was fitted to. Received "
            f"{rows.shape[1]}. For dictionary observations set `obs_keys`."
        )
    if not rows.isfinite().all():
        raise ValueError("`obs` must be finite. Received NaN or infinity; check the environment.")
    return rows


def check_sizes(data: EpisodeStore, *, obs: int, act: int) -> None:
    """Raise unless the data's observations and actions have these numbers of entries.

    Raises:
        ValueError: a number of entries differs.
    """
    for name, array, expected in (("observations", data.obs, obs), ("actions", data.act, act)):
        dim = int(np.prod(array.shape[1:]))
        if dim != expected:
            raise ValueError(
                f"The data's {name} have {dim} entries, but the policy was made for {expected}. Give data of "
                "the same environment, or choose other `obs_keys`."
            )


def check_actions_of(name: str, data: EpisodeStore, action_space: gym.Space[Any]) -> None:
    """Raise unless the actions of `data` are actions of `action_space`, in its units.

    Raises:
        ValueError: the data were recorded in another action space, or an action lies outside.
    """
    check_action_spaces("The policy", action_space, f"`{name}`", data.action_space)
    check_actions(name, data.act, action_space, data.lengths)


def check_spaces(policy: Policy, envs: Any) -> None:
    """Raise unless a policy was made for the spaces of `envs`, wrappers included.

    Raises:
        ValueError: the action spaces differ, or both observation spaces are boxes of different shapes.
    """
    spaces = wrapped_spaces(envs)
    if not same_actions(policy.action_space, spaces.action):
        raise ValueError(
            f"`policy` must have the action space of its environment, {spaces.action} with all wrappers. "
            f"Received a {type(policy).__name__} for {policy.action_space}; create it with the spaces of "
            "`rlpriors.spaces.wrapped_spaces(env)`."
        )
    read, observed = policy.observation_space, spaces.observation
    boxes = isinstance(read, gym.spaces.Box) and isinstance(observed, gym.spaces.Box)
    if boxes and read is not None and read.shape != observed.shape:
        raise ValueError(
            f"`policy` must have the observation space of its environment, {observed} with all wrappers. "
            f"Received a {type(policy).__name__} for {read}; create it with the spaces of "
            "`rlpriors.spaces.wrapped_spaces(env)`."
        )


def check_buffer(buffer: object) -> None:
    """Raise if the `buffer` of a training is not a replay buffer, such as an `EpisodeStore`.

    Raises:
        TypeError: it is of another class.
    """
    check_type("buffer", buffer, ReplayBuffer, "an EpisodeStore is converted by `to_buffer(store)`")


def check_type(name: str, value: object, types: type | tuple[type, ...], advice: str) -> None:
    """Raise if an argument is of another class, which would fail later in a message without its name.

    Raises:
        TypeError: `value` is not an instance of `types`; the message contains its class and the advice.
    """
    if isinstance(value, types):
        return
    expected = " or ".join(kind.__name__ for kind in (types if isinstance(types, tuple) else (types,)))
    received = repr(value) if isinstance(value, str | dict | None) else _with_article(type(value).__name__)
    raise TypeError(f"`{name}` must be {_with_article(expected)}. Received {received}; {advice}.")


def _with_article(word: str) -> str:
    return f"{'an' if word[0] in 'AEIO' else 'a'} {word}"
