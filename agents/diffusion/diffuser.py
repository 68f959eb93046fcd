"""Planning policy: candidate trajectories from a diffusion model, ranked and guided by a reward.

`DiffuserPolicy`  policy that plans with a trajectory diffusion model, for any Collector

Janner et al. 2022 (Diffuser, arXiv 2205.09991) plan in this way at every step.  Here a plan is executed
for several time steps, and all environments that need a new plan share a single batch.
"""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors.agents.diffusion.action_normalizer import check_action_map
from rlpriors.agents.diffusion.terminal_value import TerminalValue
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.observation_reader import ObservationReader, select_leaves
from rlpriors.agents.validation import check_actions_of, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import check_layouts
from rlpriors.device import resolve_device
from rlpriors.diffusion import ContextDenoiser, DiffusionProcess, Planner, PlannerSettings, with_context
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.spaces.actions import check_action_spaces
from rlpriors.types import Denoiser, RewardFn

__all__ = ["DiffuserPolicy"]


class DiffuserPolicy(ObservationReader, Policy):
    """Policy that plans windows with a diffusion model and executes their first time steps.

    The current plan is the policy's state, one row per environment.  The policy object itself stores
    nothing about environments, and the end of an episode discards its plan.

    Args:
        denoiser: network from [batch, horizon, dim] and [batch] to [batch, horizon, dim].
        process: noise levels and the prediction type of the denoiser.
        layout: layout and normalization of windows.
        action_space: a Box, to which actions are clipped; or the Discrete space of the layout, whose actions
            are returned as integers [batch].
        observation_space: as in Tianshou's policies; not needed to act.
        reward: reward that guides and ranks plans; None for the prior alone.
        terminal_value: value of the state in which a plan ends, added to the discounted rewards of the plan
            (`TrajectoryLayout.value`), for plans that end before the goal; train it by `fit_terminal_value`
            on the same reward.  None for the undiscounted sum of the rewards.
        planner: settings of the planner.
        execution_horizon: number of time steps of a plan that are executed before the next plan.
        replan_every: number of environment steps between plans, at most those of `execution_horizon` time
            steps; None to execute these completely.
        obs_keys: leaves of a dictionary observation that the layout contains.
        inverse_dynamics: an `InverseDynamics`, or any module from two raw observations to the raw action
            between them.  Actions then come from consecutive planned states instead of planned actions.
        context: vector that a `ContextDenoiser` receives for every plan; None for no context.
        context_weight: weight of the context (classifier-free guidance), at least -1; above 0 plans go
            beyond the data with this context.  See `diffusion.with_context`.
        device: device on which plans are computed.
        seed: random seed of the planner's noise.  Plans of one batch share a draw; apart from its noise
            each plan equals the plan of that environment alone.

    Example:
        >>> from rlpriors.data.normalize import Normalizer
        >>> from rlpriors.diffusion import NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> layout = TrajectoryLayout(8, 2, Normalizer.identity(3), Normalizer.identity(1))
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=layout.dim), layout=layout, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-2, 2, (1,)))
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    def __init__(
        self,
        *,
        denoiser: nn.Module,
        process: DiffusionProcess,
        layout: TrajectoryLayout,
        action_space: gym.Space[Any],
        observation_space: gym.Space[Any] | None = None,
        reward: RewardFn | TrajectoryValue | None = None,
        terminal_value: TerminalValue | None = None,
        planner: PlannerSettings | None = None,
        execution_horizon: int = 1,
        replan_every: int | None = None,
        obs_keys: Sequence[str] | None = None,
        inverse_dynamics: nn.Module | None = None,
        context: Sequence[float] | Tensor | None = None,
        context_weight: float = 0.0,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        check_action_map(layout.act, action_space)
        if not 1 <= execution_horizon < layout.horizon:
            raise ValueError(
                "`execution_horizon` must be at least 1 and less than the horizon of "
                f"{layout.horizon} time steps. Received {execution_horizon}."
            )
        n_steps = execution_horizon * layout.stride
        if replan_every is not None and not 1 <= replan_every <= n_steps:
            raise ValueError(
                f"`replan_every` must be at least 1 and at most {n_steps}, the environment steps of "
                f"`execution_horizon` time steps. Received {replan_every}."
            )
        if context is not None and not isinstance(denoiser, ContextDenoiser):
            raise ValueError(
                "`context` needs a denoiser with a context input. Received a "
                f"{type(denoiser).__name__}; wrap it in a ContextDenoiser and train it with contexts."
            )
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.denoiser, self.process, self.layout = denoiser, process, layout
        self.set_layout(obs_keys, layout.obs_layout)
        self.reward, self.planner = reward, planner or PlannerSettings()
        self.execution_horizon, self.replan_every = execution_horizon, replan_every
        self.inverse_dynamics = inverse_dynamics
        self.context, self.context_weight = context, context_weight
        self.terminal_value = terminal_value
        self.device = resolve_device(device)
        self.to(self.device)
        self.reseed(seed)

    def __setattr__(self, name: str, value: Any) -> None:
        # Not a submodule: torch would refuse to replace a learned reward by a plain function.
        if name == "reward":
            self._check_reward(value)
            object.__setattr__(self, name, value)
            return
        if name == "terminal_value":
            self._check_terminal_value(value)
        super().__setattr__(name, value)

    def reseed(self, seed: int) -> None:
        """Restart the planner's noise from `seed`."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the layout."""
        check_sizes(data, obs=self.layout.obs.dim, act=self.layout.act_dim)
        check_actions_of("act", data, self.action_space)
        self.record_layout(data)

    def plan(
        self,
        obs: Tensor | np.ndarray,
        *,
        previous: Tensor | None = None,
        reward: RewardFn | TrajectoryValue | None = None,
    ) -> Tensor:
        """Plan normalized windows [batch, horizon, dim] from raw observations `obs` [batch, obs].

        Args:
            obs: first observation of each plan.
            previous: earlier plans, shifted to begin now, for a warm start.
            reward: reward that replaces the policy's own in this call, without the terminal value, which
                belongs to the policy's own.

        Raises:
            ValueError: the policy has a terminal value, but no reward.
        """
        terminal_value = self.terminal_value if reward is None else None
        reward = self.reward if reward is None else reward
        self._check_reward(reward)
        if terminal_value is not None and reward is None:
            raise ValueError(
                "`terminal_value` needs a `reward`, the one that it was trained on. Received None; set "
                "`policy.reward`."
            )
        start = read_observations(obs, self.obs_layout, self.layout.obs_dim, self.device)
        denoiser: Denoiser = self.denoiser
        if self.context is not None:
            context = torch.as_tensor(self.context, dtype=torch.float32, device=self.device)
            denoiser = with_context(
                cast(ContextDenoiser, denoiser), context.reshape(1, -1), self.context_weight
            )
        plan = Planner(self.process, denoiser, self.planner).plan(
            self.layout.start(start),
            None if reward is None else self.layout.value(reward, terminal_value),
            previous=previous,
            generator=self._generator,
        )
        return plan.window

    @torch.no_grad()
    def actions(self, windows: Tensor) -> Tensor:
        """Return the first raw actions [batch, steps, act] of normalized plans [batch, horizon, dim]."""
        obs, act = self.layout.unpack(windows)
        if self.inverse_dynamics is None:
            return act[:, : self.execution_horizon]
        actions: Tensor = self.inverse_dynamics(
            obs[:, : self.execution_horizon], obs[:, 1 : self.execution_horizon + 1]
        )
        return actions

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return the next action of each environment, after replanning where a plan is used up.

        `state` is the state that the last call returned: the raw actions of the plan (`actions`
        [batch, steps, act]), the number of environment steps left of them (`left` [batch], 0 for none)
        and, for warm starts only, the plan itself.
        """
        vectors = np.asarray(select_leaves(batch.obs, self.obs_layout))
        state = self._empty_state(len(vectors)) if state is None else Batch(state, copy=True)
        new = np.flatnonzero(state.left == 0)
        if len(new):
            self._replan(state, vectors, new)
        step = self._steps - state.left
        act = state.actions[np.arange(len(vectors)), step // self.layout.stride]
        if self.layout.discrete_space is not None:
            act = act[:, 0]
        state.left = state.left - 1
        return cast(ActStateBatchProtocol, Batch(act=act, state=state))

    @property
    def _steps(self) -> int:
        """Number of environment steps from one plan to the next."""
        return self.execution_horizon * self.layout.stride if self.replan_every is None else self.replan_every

    def _check_terminal_value(self, value: TerminalValue | None) -> None:
        if value is None:
            return
        if value.obs_dim != self.layout.obs_dim:
            raise ValueError(
                f"`terminal_value` must read observations of {self.layout.obs_dim} entries, as the policy "
                f"does. Received {value.obs_dim}; train it on data of this environment."
            )
        check_layouts("`terminal_value`", value.obs_layout, "the policy's plans", self.obs_layout)
        value.to(self.layout.obs.loc.device)

    def _check_reward(self, reward: object) -> None:
        check_layouts("`reward`", getattr(reward, "obs_layout", None), "the policy's plans", self.obs_layout)
        space = getattr(reward, "discrete_space", None)
        check_action_spaces("`reward`", space, "the policy", self.action_space)
        n_obs = getattr(reward, "obs_dim", self.layout.obs_dim)
        if n_obs != self.layout.obs_dim:
            raise ValueError(
                f"`reward` must read observations of {self.layout.obs_dim} entries, as the prior has them. "
                f"Received one of {n_obs}; take the reward and the prior of the same environment."
            )

    @property
    def _stored_type(self) -> type[np.generic]:
        return np.float32 if self.layout.discrete_space is None else np.int64

    def _in_space(self, act: np.ndarray) -> np.ndarray:
        """Return the nearest actions of the action space."""
        discrete = self.layout.discrete_space
        if discrete is not None:
            first = int(discrete.start)
            nearest: np.ndarray = np.rint(act).astype(np.int64).clip(first, first + int(discrete.n) - 1)
            return nearest
        box = cast(gym.spaces.Box, self.action_space)
        clipped: np.ndarray = act.clip(box.low, box.high)
        return clipped

    def _empty_state(self, n: int) -> Batch:
        state = Batch(
            actions=np.zeros((n, self.execution_horizon, self.layout.act_dim), self._stored_type),
            left=np.zeros(n, np.int64),
        )
        if self.planner.warm_start > 0:
            state.plan = np.zeros((n, self.layout.horizon, self.layout.dim), np.float32)
            state.planned = np.zeros(n, np.bool_)
        return state

    def _replan(self, state: Batch, vectors: np.ndarray, rows: np.ndarray) -> None:
        for group, previous in self._groups(state, rows):
            windows = self.plan(vectors[group], previous=previous)
            state.actions[group] = self._in_space(self.actions(windows).cpu().numpy())
            state.left[group] = self._steps
            if "plan" in state:
                state.plan[group] = windows.cpu().numpy()
                state.planned[group] = True

    def _groups(self, state: Batch, rows: np.ndarray) -> list[tuple[np.ndarray, Tensor | None]]:
        """Split rows into those planned from noise and those with an earlier plan to start from."""
        if "plan" not in state:
            return [(rows, None)]
        cold, warm = rows[~state.planned[rows]], rows[state.planned[rows]]
        n_done = self._steps // self.layout.stride  # whole time steps since the plan was made
        rest, last = state.plan[warm, n_done:], state.plan[warm, -1:]
        shifted = np.concatenate([rest, np.repeat(last, n_done, 1)], axis=1)
        groups = [(cold, None), (warm, torch.from_numpy(shifted).to(self.device))]
        return [(group, previous) for group, previous in groups if len(group)]
