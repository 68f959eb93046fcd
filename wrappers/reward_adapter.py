"""Adapter between a reward and an environment's spaces, shared by the reward wrappers.

`RewardAdapter`  scores numpy transitions and checks the rewards
`RewardSource`   type of a wrapper's `reward` argument
`check_finite`   check for finite rewards
`score_rows`     call of a reward, and check of its shape
"""

import os
from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import Any, TypeAlias, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float32, Float64, Shaped
from torch import Tensor, nn

from rlpriors.arguments import check_arguments
from rlpriors.data.observation_layout import check_layouts
from rlpriors.data.observations import observation_shape, select_observation
from rlpriors.device import resolve_device
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.records.layout_record import select_keys
from rlpriors.rewards.registry import load_reward
from rlpriors.spaces.wrapped import same_actions
from rlpriors.types import RewardFn
from rlpriors.wrappers.arrays import Array

__all__ = ["RewardAdapter", "RewardSource", "check_finite", "score_rows"]

RewardSource: TypeAlias = str | os.PathLike[str] | RewardFn
"""Folder of a saved reward, `RewardModel`, or any function of (obs, act, obs_next, terminated)."""


class RewardAdapter:
    """Scorer of an environment's transitions, for all common observation and action spaces.

    The reward receives float32 tensors (and a boolean `terminated`) in raw units, as in stored data:
    observations, or the selected leaves of a Dict, and actions.  A Discrete action is a column with its
    index.  A network that reads one-hot actions encodes them itself (`RewardSettings.n_actions`), so
    that a step has the same reward in a rollout and in a data set.

    A reward given as a folder is loaded onto `device`.  A module keeps its device if `device` is "auto"
    and is moved otherwise.

    Raises:
        ValueError: the reward does not fit the spaces, the action space is no Box, Discrete,
            MultiDiscrete or MultiBinary, or `scale` is not finite.
        TypeError: `reward` is neither a folder nor callable.
        CheckpointError: the folder holds no reward.

    Example:
        >>> env = gym.make("CartPole-v1")
        >>> def upright(obs, act, obs_next, terminated):
        ...     return -obs_next[:, 2].abs() - 10.0 * terminated
        >>> adapter = RewardAdapter(upright, env.observation_space, env.action_space)
        >>> obs = adapter.read_obs(env.reset(seed=0)[0])[None]
        >>> adapter(obs, adapter.read_actions(np.array([1])), obs, np.array([True])).round(1)
        array([-10.])
    """

    @partial(check_arguments, unbounded=("scale",))
    def __init__(
        self,
        reward: RewardSource,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        if not isfinite(scale):
            raise ValueError(f"`scale` must be finite. Received {scale}.")
        self.reward, self.device = _resolve(reward, device)
        self.scale = float(scale)
        # A reward that was learned from a Dict also accepts the same entries as a plain observation.
        flat = getattr(observation_space, "obs_layout", None)
        check_layouts("`reward`", getattr(self.reward, "obs_layout", None), "the environment", flat)
        obs_keys = select_keys(self.reward, observation_space, obs_keys)
        self.obs_keys = obs_keys
        obs_shape = observation_shape(observation_space, obs_keys) or (1,)
        act_shape = _action_shape(action_space)
        if isinstance(self.reward, RewardModel):
            _check_fit(self.reward, obs_shape, act_shape, observation_space, action_space, obs_keys)

    def read_obs(self, obs: Any, batch_dims: int = 0) -> Float32[np.ndarray, "*obs"]:
        """Return a copy of the entries of an observation that the reward reads."""
        entries = np.array(select_observation(obs, self.obs_keys, batch_dims), np.float32)
        return entries[..., None] if entries.ndim == batch_dims else entries

    def read_actions(self, actions: Any) -> Float32[np.ndarray, "batch *act"]:
        """Return a copy of a batch of actions."""
        if isinstance(actions, Tensor):
            actions = actions.detach().cpu().numpy()
        rows = np.array(actions, np.float32)
        return rows[:, None] if rows.ndim == 1 else rows

    def __call__(
        self,
        obs: Float32[np.ndarray, "batch *obs"],
        act: Float32[np.ndarray, "batch *act"],
        obs_next: Float32[np.ndarray, "batch *obs"],
        terminated: Shaped[np.ndarray, " batch"],
    ) -> Float64[np.ndarray, " batch"]:
        """Score a batch in one call of the reward and multiply by `scale`.

        Raises:
            ValueError: the reward returns another shape than [batch], or NaN or infinity.
            TypeError: torch cannot convert the returned value to numbers.
        """
        arrays = (obs, act, obs_next, np.array(terminated, np.bool_))
        inputs = [torch.as_tensor(array, device=self.device) for array in arrays]
        values = score_rows(self.reward, inputs, "cpu", torch.float64)
        check_finite(values, obs, act, obs_next)
        return self.scale * values.numpy()


def score_rows(
    reward: RewardFn, inputs: Sequence[Tensor], device: str | torch.device, dtype: torch.dtype
) -> Tensor:
    """Call a reward with (obs, act, obs_next, terminated), without gradients, and return a number per row.

    Raises:
        ValueError: the reward returns another shape than [batch].
        TypeError: torch cannot convert the returned value to numbers.
    """
    n_rows = len(inputs[0])
    with torch.no_grad():
        returned = reward(*inputs)
    try:
        values = torch.as_tensor(returned).detach().to(device, dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"`reward` must return one number for each row. Received a {type(returned).__name__} "
            f"({error}); return a tensor of shape [batch]."
        ) from error
    if values.shape != (n_rows,):
        raise ValueError(
            f"`reward` must return one number for each of the {n_rows} rows, shape ({n_rows},). "
            f"Received shape {tuple(values.shape)}; drop further dimensions, for example by `.squeeze(-1)`."
        )
    return values


def check_finite(values: Tensor, obs: Array, act: Array, obs_next: Array) -> None:
    """Check that the rewards of these transitions are finite; one boolean of a device is read on the host.

    Raises:
        ValueError: a reward is NaN or infinite.
    """
    finite = values.isfinite()
    if not bool(finite.all()):
        row = int(finite.int().argmin())
        raise ValueError(
            f"`reward` must return finite numbers. Received {values[row].item()} for obs "
            f"{obs[row].tolist()}, act {act[row].tolist()}, obs_next {obs_next[row].tolist()}; check these, "
            "and the reward's weights, for NaN."
        )


def _resolve(reward: RewardSource, device: str | torch.device) -> tuple[RewardFn, torch.device]:
    if isinstance(reward, str | os.PathLike):
        model = load_reward(os.fspath(reward), device)
        return model, model.device
    if not callable(reward):
        raise TypeError(
            "`reward` must be the folder of a saved reward, a RewardModel, or a function of (obs, act, "
            f"obs_next, terminated). Received a {type(reward).__name__}."
        )
    if isinstance(reward, nn.Module):
        tensors = [*reward.parameters(), *reward.buffers()]
        if device == "auto" and tensors:
            return reward, tensors[0].device
        reward.to(resolve_device(device))
    return reward, resolve_device(device)


def _action_shape(space: gym.Space[Any]) -> tuple[int, ...]:
    supported = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
    if not isinstance(space, supported) or space.shape is None:
        raise ValueError(
            f"The action space must be Box, Discrete, MultiDiscrete or MultiBinary. Received {space}; wrap "
            "the environment, for example in TransformAction."
        )
    return tuple(space.shape) or (1,)


def _check_fit(
    model: RewardModel,
    obs_shape: tuple[int, ...],
    act_shape: tuple[int, ...],
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    obs_keys: Sequence[str] | None,
) -> None:
    if obs_shape != model.obs_shape:
        if isinstance(observation_space, gym.spaces.Dict):
            remedy = f"select the leaves of its training data by `obs_keys`, from {observation_space}"
        else:
            remedy = "convert the observations to the layout of its training data (`obs_keys` is for Dict)"
        raise ValueError(
            f"`reward` must fit observations of shape {obs_shape} (with obs_keys={obs_keys}). Received a "
            f"{type(model).__name__} for observations of shape {model.obs_shape}; {remedy}."
        )
    _check_images(model, observation_space, obs_keys)
    if act_shape != (model.act_dim,):
        raise ValueError(
            f"`reward` must fit actions of shape {act_shape} (a Discrete action has one entry). Received a "
            f"{type(model).__name__} for actions of shape ({model.act_dim},), not for {action_space}; use a "
            "reward that was learned from such actions."
        )
    expected = model.discrete_space
    if expected is not None and not same_actions(action_space, expected):
        raise ValueError(
            f"`reward` must fit actions of {action_space}. Received a {type(model).__name__} for {expected}; "
            "use a reward that was learned from such actions."
        )


def _check_images(model: RewardModel, space: gym.Space[Any], obs_keys: Sequence[str] | None) -> None:
    """Check that the images of a space have the brightness that the reward reads."""
    if model.image_high is None:
        return
    for key in obs_keys or ():
        for part in key.split("/"):
            space = cast(gym.spaces.Dict, space)[part]
    high = float(cast(gym.spaces.Box, space).high.max())
    if high != model.image_high:
        raise ValueError(
            f"`reward` must fit images with values up to {high:g}. Received a {type(model).__name__} for "
            f"values up to {model.image_high:g}; convert the frames to those of its training data."
        )
