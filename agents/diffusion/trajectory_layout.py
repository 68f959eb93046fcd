"""Layout of trajectory windows: observation and action of each time step, normalized.

`TrajectoryLayout`  conversion between raw windows and normalized ones
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.diffusion import Condition
from rlpriors.diffusion.guidance import Value
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.types import RewardFn, Window

__all__ = ["TrajectoryLayout"]


class TrajectoryLayout(nn.Module):
    """Layout of a window: [observation | action] at each time step, each entry normalized.

    A time step of a window lasts `stride` environment steps.  It contains the observation at its
    beginning and the mean action of its environment steps; a plan executes it by holding that action.

    Args:
        horizon: number of time steps in a window.
        stride: number of environment steps in a time step.
        obs: normalizer of observations.
        act: normalizer of actions.
        obs_layout: leaves of the Dict observations that `obs` normalizes; None if unknown or plain.
        obs_shape: shape of one observation in the data; None if unknown.

    Example:
        >>> layout = TrajectoryLayout(8, 2, Normalizer.identity(3), Normalizer.identity(1))
        >>> layout.dim, layout.start(torch.zeros(5, 3)).mask.shape
        (4, torch.Size([5, 8, 4]))
    """

    def __init__(
        self,
        horizon: int,
        stride: int,
        obs: Normalizer,
        act: Normalizer,
        obs_layout: ObservationLayout | None = None,
        obs_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        if horizon < 2:
            raise ValueError(f"`horizon` must be at least 2. Received {horizon}.")
        if stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received {stride}.")
        self.horizon, self.stride = horizon, stride
        self.obs, self.act = obs, act
        self.obs_layout, self.obs_shape = obs_layout, obs_shape

    @classmethod
    def fit(cls, data: EpisodeStore, horizon: int, stride: int = 1) -> "TrajectoryLayout":
        """Create a layout that maps the ranges of `data` to [-1, 1], entry by entry."""
        obs = data.obs.reshape(len(data.obs), -1)
        act = data.act.reshape(len(data.act), -1)
        normalizers = Normalizer.limits(obs), Normalizer.limits(act)
        return cls(horizon, stride, *normalizers, data.obs_layout, data.obs.shape[1:])

    @property
    def obs_dim(self) -> int:
        """Number of entries of an observation."""
        return self.obs.dim

    @property
    def normalizer(self) -> Normalizer:
        """Normalizer of a whole time step."""
        return Normalizer.concat(self.obs, self.act)

    @property
    def dim(self) -> int:
        """Number of entries of a time step."""
        return self.obs.dim + self.act.dim

    def pack(self, window: Window) -> Float[Tensor, "batch horizon dim"]:
        """Convert a raw window to a normalized one."""
        return torch.cat([self.obs(window.obs), self.act(window.act)], dim=-1)

    def unpack(self, x: Float[Tensor, "batch horizon dim"]) -> tuple[Tensor, Tensor]:
        """Convert a normalized window to raw observations [batch, horizon, obs] and actions [..., act]."""
        return self.obs.inverse(x[..., : self.obs_dim]), self.act.inverse(x[..., self.obs_dim :])

    def start(self, obs: Float[Tensor, "batch obs"]) -> Condition:
        """Return the condition that windows begin in these raw observations."""
        return Condition.fix_steps(self.obs(obs)[:, None], horizon=self.horizon, dim=self.dim)

    def rewards(
        self, reward: RewardFn | TrajectoryValue, x: Float[Tensor, "batch horizon dim"]
    ) -> Float[Tensor, "batch steps"]:
        """Compute the reward of each of the window's horizon - 1 transitions between time steps.

        A `TrajectoryValue` has no transitions: its value is returned as a single column.
        """
        if isinstance(reward, TrajectoryValue):
            value: Tensor = reward(x)
            return value[:, None]
        obs, act = self.unpack(x)
        parts = (obs[:, :-1], act[:, :-1], obs[:, 1:])
        obs_now, act_now, obs_next = (rearrange(part, "b h d -> (b h) d") for part in parts)
        terminated = torch.zeros(len(obs_now), dtype=torch.bool, device=x.device)
        return rearrange(reward(obs_now, act_now, obs_next, terminated), "(b h) -> b h", b=len(x))

    def value(self, reward: RewardFn | TrajectoryValue) -> Value:
        """Return J, the sum of a reward over a window, as a function of normalized windows."""
        return lambda x: self.rewards(reward, x).sum(1)
