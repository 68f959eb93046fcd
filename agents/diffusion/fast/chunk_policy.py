"""Policies that execute action chunks.

`ChunkPolicy`    base class: one chunk per environment, its first actions executed
`ChunkSettings`  length of chunks and of the executed part
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol
from torch import Tensor

from rlpriors.agents.observation_reader import ObservationReader
from rlpriors.agents.validation import check_actions_of, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.device import resolve_device
from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields
from rlpriors.spaces.actions import check_continuous

__all__ = ["ChunkPolicy", "ChunkSettings"]


@dataclass(frozen=True)
class ChunkSettings:
    """Length of action chunks and of the executed part.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int = 8
    """Number of time steps of a chunk, at least 1."""
    stride: int = 1
    """Number of environment steps of a time step, for which its action is held; at least 1."""
    replan_every: int | None = None
    """Number of environment steps between chunks, at most `horizon` times `stride`; None for half of a
    chunk, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, horizon=self.horizon, stride=self.stride)
        steps = self.horizon * self.stride
        if self.replan_every is not None and not 1 <= self.replan_every <= steps:
            raise ValueError(
                f"`replan_every` must be at least 1 and at most {steps}, the environment steps of a chunk. "
                f"Received {self.replan_every}."
            )

    @property
    def executed_steps(self) -> int:
        """Number of environment steps between chunks."""
        if self.replan_every is not None:
            return self.replan_every
        return max(1, self.horizon * self.stride // 2)


class ChunkPolicy(ObservationReader, Policy):
    """Policy that computes action chunks and executes the first actions of each.

    The current chunk is the policy's state, one row per environment.  The end of an episode discards it, and
    all environments that need a new chunk share a single batch.  A subclass implements `chunk`.

    Args:
        action_space: a Box with one axis; actions are clipped to it.
        obs: normalizer of observations.
        act: normalizer of actions.
        settings: length of chunks and of the executed part.
        observation_space: as in Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that the policy reads.
        obs_layout: leaves that were recorded with the data of `obs`.
        device: device on which chunks are computed.
        seed: random seed of the noise.

    Raises:
        ValueError: the action space is no Box, or has another number of entries than `act`.
    """

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer,
        settings: ChunkSettings,
        observation_space: gym.Space[Any] | None = None,
        obs_keys: Sequence[str] | None = None,
        obs_layout: ObservationLayout | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        if not isinstance(action_space, gym.spaces.Box) or action_space.shape != (act.dim,):
            raise ValueError(
                f"`action_space` must be a Box of {act.dim} entries, as the actions of the normalizer `act`. "
                f"Received {action_space}; chunks are continuous actions."
            )
        check_continuous(action_space)
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.obs, self.act, self.settings = obs, act, settings
        self.set_layout(obs_keys, obs_layout)
        self.low = torch.as_tensor(action_space.low, dtype=torch.float32)
        self.high = torch.as_tensor(action_space.high, dtype=torch.float32)
        self.device = resolve_device(device)
        self.reseed(seed)

    @abstractmethod
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """Return a chunk of raw actions, inside the action space, for each row of raw observations."""

    def reseed(self, seed: int) -> None:
        """Restart the noise from `seed`."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the policy."""
        check_sizes(data, obs=self.obs.dim, act=self.act.dim)
        check_actions_of("act", data, self.action_space)
        self.record_layout(data)

    def read(self, obs: Any) -> Float[Tensor, "batch obs"]:
        """Return checked raw observations, one vector per row."""
        return read_observations(obs, self.obs_layout, self.obs.dim, self.device)

    def clip(self, chunk: Float[Tensor, "*batch act"]) -> Float[Tensor, "*batch act"]:
        """Return the nearest raw actions of the action space."""
        return chunk.clamp(self.low.to(chunk.device), self.high.to(chunk.device))

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return the next action of each environment, with new chunks where a chunk is used up.

        `state` is the state that the last call returned: the raw actions of the chunk (`actions`
        [batch, horizon, act]) and the number of environment steps left of the executed part (`left`
        [batch], 0 for none).
        """
        n, chunks = len(batch.obs), self.settings
        if state is None:
            actions = np.zeros((n, chunks.horizon, self.act.dim), np.float32)
            left = np.zeros(n, np.int64)
        else:
            held = Batch(state)
            actions, left = np.array(held.actions), np.array(held.left)
        new = np.flatnonzero(left == 0)
        if len(new):
            actions[new] = self.chunk(batch.obs[new]).cpu().numpy()
            left[new] = chunks.executed_steps
        step = chunks.executed_steps - left
        act = actions[np.arange(n), step // chunks.stride]
        return cast(ActStateBatchProtocol, Batch(act=act, state=Batch(actions=actions, left=left - 1)))
