"""Flow policy: action chunks from a flow conditioned on the observation, in one step or few.

`FlowPolicy`    policy that samples action chunks from a flow
`FlowSettings`  chunks, network and sampler of a flow policy

`flow_cloning` trains it on demonstrations.  Like a `DiffusionPolicy` it keeps one of several ways that the
demonstrators took.  It needs one pass of a small network instead of eight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium as gym
import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.agents.diffusion.fast.chunk_policy import ChunkPolicy, ChunkSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion.flow import FlowField, euler_sample, jump_sample
from rlpriors.networks.base import check_at_least, check_widths
from rlpriors.networks.flow_mlp import FlowMLP

__all__ = ["FlowPolicy", "FlowSettings"]


@dataclass(frozen=True)
class FlowSettings(ChunkSettings):
    """Chunks, network and sampler of a `FlowPolicy`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    """Width of each hidden layer of the flow network."""
    n_steps: int = 1
    """Number of steps from noise to a chunk, at least 1."""
    sampler: Literal["jump", "euler"] = "jump"
    """Rule of a step: "jump" follows mean velocities, in one step or few; "euler" follows velocities and
    needs about 8 steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_widths(hidden=self.hidden)
        check_at_least(1, n_steps=self.n_steps)


class FlowPolicy(ChunkPolicy):
    """Policy that samples a chunk of actions by a flow and executes its first time steps.

    Args:
        action_space: a Box with one axis; actions are clipped to it.
        obs: normalizer of observations.
        act: normalizer of actions.
        settings: chunks, network and sampler.
        observation_space: as in Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that the policy reads.
        obs_layout: leaves that were recorded with the data of `obs`.
        device: device on which chunks are sampled.
        seed: random seed of the noise.

    Example:
        >>> import numpy as np
        >>> from tianshou.data import Batch
        >>> policy = FlowPolicy(
        ...     action_space=gym.spaces.Box(-2, 2, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), device="cpu")
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    settings: FlowSettings
    settings_type: type[FlowSettings] = FlowSettings

    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer,
        settings: FlowSettings | None = None,
        observation_space: gym.Space[Any] | None = None,
        obs_keys: Sequence[str] | None = None,
        obs_layout: ObservationLayout | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        settings = self.settings_type() if settings is None else settings
        super().__init__(
            action_space=action_space,
            observation_space=observation_space,
            obs=obs,
            act=act,
            settings=settings,
            obs_keys=obs_keys,
            obs_layout=obs_layout,
            device=device,
            seed=seed,
        )
        self.flow = FlowMLP(obs.dim, settings.horizon * act.dim, settings.hidden)
        self.to(self.device)

    @classmethod
    def fit(cls, data: EpisodeStore, action_space: gym.Space[Any], **arguments: Any) -> "FlowPolicy":
        """Create an untrained policy with the ranges of `data`.

        Args:
            data: demonstrations of the environment.
            action_space: action space of the environment.
            arguments: arguments of the class.
        """
        obs = Normalizer.limits(data.obs.reshape(len(data.obs), -1))
        act = Normalizer.limits(data.act.reshape(len(data.act), -1))
        layout = data.obs_layout
        return cls(action_space=action_space, obs=obs, act=act, obs_layout=layout, **arguments)

    def field(self, obs: Float[Tensor, "batch obs"], flow: FlowMLP | None = None) -> FlowField:
        """Return the flow of flat normalized chunks for raw observations; `flow` replaces the own one."""
        known, network = self.obs(obs), flow or self.flow
        return lambda x, r, t: network(x, r, t, known)

    def sample(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch horizon act"]:
        """Sample a normalized chunk for each raw observation."""
        shape = (len(obs), self.settings.horizon * self.act.dim)
        noise = torch.randn(shape, generator=self._generator, device=self.device)
        rule = jump_sample if self.settings.sampler == "jump" else euler_sample
        chunk = rule(self.field(obs), noise, self.settings.n_steps)
        return chunk.reshape(len(obs), self.settings.horizon, self.act.dim)

    @torch.no_grad()
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """Sample a chunk of raw actions for each row of raw observations: an array, tensor or batch."""
        return self.clip(self.act.inverse(self.sample(self.read(obs))))
