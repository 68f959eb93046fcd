"""Layout of trajectory windows: observation and action of each time step, normalized.

`TrajectoryLayout`  conversion between raw windows and normalized ones
"""

from typing import Any

import gymnasium as gym
import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rlpriors.agents.diffusion.action_normalizer import normalizer_of_actions
from rlpriors.agents.diffusion.terminal_value import TerminalValue
from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import ActionEncoding, DiscreteActions, Normalizer
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
    Discrete actions are codes inside a window and integers outside (`DiscreteActions`).

    With `absorbing`, a time step has one more entry after the observation: 1 after a termination, else -1
    (absorbing states: DAC, arXiv 1809.02925, section 4.2).  Windows then continue beyond a termination, and
    hold the terminal observation and the last action.  They never continue beyond a truncation.  Rewards are
    0 in these time steps.  No generality is lost: a constant added to every time step of a window, after the
    termination too, changes no comparison of windows.  A positive reward prefers to continue, a negative one
    to terminate, as in an environment, which pays nothing after a termination.

    Args:
        horizon: number of time steps in a window.
        stride: number of environment steps in a time step; 1 for Discrete actions, which have no mean.
        obs: normalizer of observations.
        act: normalizer of actions, or codes of Discrete actions.
        obs_layout: leaves of the Dict observations that `obs` normalizes; None if unknown or plain.
        obs_shape: shape of one observation in the data; None if unknown.
        absorbing: continuation of windows beyond a termination.

    Example:
        >>> layout = TrajectoryLayout(8, 2, Normalizer.identity(3), Normalizer.identity(1))
        >>> layout.dim, layout.start(torch.zeros(5, 3)).mask.shape
        (4, torch.Size([5, 8, 4]))
        >>> layout = TrajectoryLayout(8, 1, Normalizer.identity(3), DiscreteActions(5), absorbing=True)
        >>> layout.obs_dim, layout.state_dim, layout.dim, layout.act_dim
        (3, 4, 9, 1)
    """

    @check_arguments
    def __init__(
        self,
        horizon: int,
        stride: int,
        obs: Normalizer,
        act: Normalizer | DiscreteActions,
        obs_layout: ObservationLayout | None = None,
        obs_shape: tuple[int, ...] | None = None,
        absorbing: bool = False,
    ) -> None:
        super().__init__()
        if horizon < 2:
            raise ValueError(f"`horizon` must be at least 2. Received {horizon}.")
        if stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received {stride}.")
        if stride > 1 and isinstance(act, DiscreteActions):
            raise ValueError(
                f"`stride` must be 1 for Discrete actions, which have no mean. Received {stride}; for longer "
                "time steps record the data in an environment that repeats actions."
            )
        self.horizon, self.stride = horizon, stride
        self.obs, self.act = obs, act
        self.obs_layout, self.obs_shape = obs_layout, obs_shape
        self.absorbing = absorbing

    @classmethod
    @check_arguments
    def fit(
        cls,
        data: EpisodeStore,
        horizon: int,
        stride: int = 1,
        *,
        action_space: gym.Space[Any] | None = None,
        action_encoding: ActionEncoding = "one_hot",
        absorbing: bool = False,
    ) -> "TrajectoryLayout":
        """Create a layout that maps the ranges of `data` to [-1, 1], entry by entry.

        Args:
            data: data of the environment.
            horizon: number of time steps in a window.
            stride: number of environment steps in a time step.
            action_space: action space of the environment; None for the space that the data recorded.
                Integer actions need one of the two.
            action_encoding: code of Discrete actions in a window, "one_hot" or "bits" (`DiscreteActions`).
                A reward reads both as one-hot rows.
            absorbing: continue windows beyond a termination, in the terminal state.

        Raises:
            ValueError: actions are integers of an unknown, MultiDiscrete or MultiBinary space, or do not
                belong to `action_space`.
        """
        obs = Normalizer.limits(data.obs.reshape(len(data.obs), -1))
        act = normalizer_of_actions(data, action_space, action_encoding)
        return cls(horizon, stride, obs, act, data.obs_layout, data.obs.shape[1:], absorbing)

    @property
    def obs_dim(self) -> int:
        """Number of entries of an observation."""
        return self.obs.dim

    @property
    def state_dim(self) -> int:
        """Number of entries of a time step before its action: observation and, if `absorbing`, one more."""
        return self.obs.dim + self.absorbing

    @property
    def act_dim(self) -> int:
        """Number of entries of a raw action; a Discrete action has one."""
        return 1 if isinstance(self.act, DiscreteActions) else self.act.dim

    @property
    def discrete_space(self) -> gym.spaces.Discrete | None:
        """Space of the actions if it is Discrete, else None."""
        return self.act.space if isinstance(self.act, DiscreteActions) else None

    @property
    def normalizer(self) -> Normalizer:
        """Normalizer of the raw observation and action of a time step; a Discrete action stays unchanged."""
        act = self.act if isinstance(self.act, Normalizer) else Normalizer.identity(1).to(self.obs.loc.device)
        return Normalizer.concat(self.obs, act)

    @property
    def dim(self) -> int:
        """Number of entries of a time step."""
        return self.state_dim + self.act.dim

    def pack(self, window: Window) -> Float[Tensor, "batch horizon dim"]:
        """Convert a raw window to a normalized one."""
        state = [self.obs(window.obs)]
        if self.absorbing:
            state.append(2 * window.absorbing[..., None].to(state[0]) - 1)
        return torch.cat([*state, self.act(window.act)], dim=-1)

    def unpack(self, x: Float[Tensor, "batch horizon dim"]) -> tuple[Tensor, Tensor]:
        """Convert a normalized window to raw observations [batch, horizon, obs] and actions [..., act]."""
        return self.obs.inverse(x[..., : self.obs_dim]), self.act.inverse(x[..., self.state_dim :])

    def weight(self, window: Window) -> Bool[Tensor, "batch horizon"]:
        """Return True for the time steps that a model of windows learns.

        They lie inside the episode or, if `absorbing`, after its termination.
        """
        return window.mask | window.absorbing if self.absorbing else window.mask

    def absorbed(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "batch horizon"]:
        """Return 1 for time steps after a termination, 0 for others, and numbers in between for samples."""
        if not self.absorbing:
            return torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
        return ((x[..., self.obs_dim] + 1) / 2).clamp(0, 1)

    def start(self, obs: Float[Tensor, "batch obs"]) -> Condition:
        """Return the condition that windows begin in these raw observations, before a termination."""
        known = self.obs(obs)[:, None]
        if self.absorbing:
            known = torch.cat([known, -torch.ones_like(known[..., :1])], -1)
        return Condition.fix_steps(known, horizon=self.horizon, dim=self.dim)

    def rewards(
        self,
        reward: RewardFn | TrajectoryValue,
        x: Float[Tensor, "batch horizon dim"],
        terminated: Bool[Tensor, "batch horizon"] | None = None,
    ) -> Float[Tensor, "batch steps"]:
        """Compute the reward of each of the window's horizon - 1 transitions between time steps.

        A reward with `reads_one_hot` receives Discrete actions as one-hot rows, in which it has a gradient.
        Other rewards receive the integers, which have none.  A `TrajectoryValue` has no transitions: its
        value is returned as a single column.

        Args:
            reward: reward in raw units.
            x: normalized windows.
            terminated: `Window.terminated`; by default the transitions that enter the time steps after a
                termination, or none if the layout is not `absorbing`.
        """
        if isinstance(reward, TrajectoryValue):
            value: Tensor = reward(x)
            return value[:, None]
        obs, act = self.unpack(x)
        reads_one_hot = getattr(reward, "reads_one_hot", False)
        if isinstance(self.act, DiscreteActions) and self.act.n > 1 and reads_one_hot:
            act = self.act.one_hot(x[..., self.state_dim :])
        parts = (obs[:, :-1], act[:, :-1], obs[:, 1:])
        obs_now, act_now, obs_next = (rearrange(part, "b h d -> (b h) d") for part in parts)
        absorbed = self.absorbed(x)
        if terminated is None:
            ends = (absorbed[:, 1:] > 0.5) & (absorbed[:, :-1] <= 0.5)
        else:
            ends = terminated[:, :-1]
        rewards = rearrange(reward(obs_now, act_now, obs_next, ends.flatten()), "(b h) -> b h", b=len(x))
        return (1 - absorbed[:, :-1]) * rewards if self.absorbing else rewards

    def value(self, reward: RewardFn | TrajectoryValue, terminal_value: TerminalValue | None = None) -> Value:
        """Return J, the sum of a reward over a window, as a function of normalized windows.

        With `terminal_value`, J is the discounted sum of r_k g^(k stride), k counting time steps from 0, plus
        g^((horizon - 1) stride) V(last observation) / n.  g is the discount of V per environment step, and
        n = (1 - g^stride) / (1 - g) the discounted number of environment steps in a time step, by which V is
        larger than a sum over time steps.  As g approaches 1, the rewards count as much as without V.

        Raises:
            ValueError: `terminal_value` is combined with the value of whole windows.
        """
        if terminal_value is None:
            return lambda x: self.rewards(reward, x).sum(1)
        if isinstance(reward, TrajectoryValue):
            raise ValueError(
                "`terminal_value` must be None for a TrajectoryValue, which has no rewards to discount. "
                "Received a TerminalValue; learn a reward of single steps."
            )
        beyond, discount = terminal_value, terminal_value.discount
        n_last, n_each = self.horizon - 1, (1 - discount**self.stride) / (1 - discount)

        def value(x: Tensor) -> Tensor:
            rewards = self.rewards(reward, x)
            weights = discount ** (self.stride * torch.arange(n_last, device=x.device, dtype=x.dtype))
            last: Tensor = beyond(self.unpack(x[:, -1:])[0][:, 0])
            alive = 1 - self.absorbed(x)[:, -1]
            return (weights * rewards).sum(1) + discount ** (self.stride * n_last) / n_each * alive * last

        return value
