"""How an observation and an action lie side by side in a frame of a normalized window."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.diffusion import Condition
from rlpriors.diffusion.guidance import Value
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.types import RewardFn, Window

__all__ = ["TrajectoryLayout"]


class TrajectoryLayout(nn.Module):
    """The layout of a window: [observation | action] in each frame, normalized entry by entry.

    Args:
        horizon: frames in a window.
        stride: environment steps in a frame.  A frame shows the observation at its beginning and
            the mean action of its steps, and is executed by holding that action.
        obs: normalizer of observations.
        act: normalizer of actions.

    Example:
        >>> frames = TrajectoryLayout(8, 2, Normalizer.identity(3), Normalizer.identity(1))
        >>> frames.dim, frames.start(torch.zeros(5, 3)).mask.shape
        (4, torch.Size([5, 8, 4]))
    """

    def __init__(self, horizon: int, stride: int, obs: Normalizer, act: Normalizer) -> None:
        super().__init__()
        if horizon < 2:
            raise ValueError(f"`horizon` must be at least 2. Received {horizon}.")
        if stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received {stride}.")
        self.horizon, self.stride = horizon, stride
        self.obs, self.act = obs, act

    @classmethod
    def fit(cls, data: EpisodeStore, horizon: int, stride: int = 1) -> "TrajectoryLayout":
        """Take the ranges of observations and actions from `data`: every entry in [-1, 1]."""
        obs = data.obs.reshape(len(data.obs), -1)
        act = data.act.reshape(len(data.act), -1)
        return cls(horizon, stride, Normalizer.limits(obs), Normalizer.limits(act))

    @property
    def obs_dim(self) -> int:
        """Entries of an observation."""
        return self.obs.dim

    @property
    def normalizer(self) -> Normalizer:
        """The normalizer of a whole frame."""
        return Normalizer.concat(self.obs, self.act)

    @property
    def dim(self) -> int:
        """Entries of a frame."""
        return self.obs.dim + self.act.dim

    def pack(self, window: Window) -> Float[Tensor, "batch horizon dim"]:
        """Raw window to normalized one."""
        return torch.cat([self.obs(window.obs), self.act(window.act)], dim=-1)

    def unpack(self, x: Float[Tensor, "batch horizon dim"]) -> tuple[Tensor, Tensor]:
        """Normalized window to raw observations [batch, horizon, obs] and actions [batch, horizon, act]."""
        return self.obs.inverse(x[..., : self.obs_dim]), self.act.inverse(x[..., self.obs_dim :])

    def start(self, obs: Float[Tensor, "batch obs"]) -> Condition:
        """Windows that begin in these raw observations."""
        return Condition.frames(self.obs(obs)[:, None], horizon=self.horizon, dim=self.dim)

    def rewards(
        self, reward: RewardFn | TrajectoryValue, x: Float[Tensor, "batch horizon dim"]
    ) -> Float[Tensor, "batch steps"]:
        """The reward of each of the window's horizon - 1 transitions from frame to frame.

        A value of whole windows knows no transitions: its rewards are the value alone, in one column.
        """
        if isinstance(reward, TrajectoryValue):
            value: Tensor = reward(x)
            return value[:, None]
        obs, act = self.unpack(x)
        now, done, after = obs[:, :-1], act[:, :-1], obs[:, 1:]
        now, done, after = (rearrange(part, "b h d -> (b h) d") for part in (now, done, after))
        terminated = torch.zeros(len(now), dtype=torch.bool, device=x.device)
        return rearrange(reward(now, done, after, terminated), "(b h) -> b h", b=len(x))

    def value(self, reward: RewardFn | TrajectoryValue) -> Value:
        """J: the sum of a reward over a window, a function of normalized windows."""
        return lambda x: self.rewards(reward, x).sum(1)
