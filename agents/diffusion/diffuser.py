"""A policy that plans: candidate trajectories from a diffusion model, ranked and guided by a reward.

Janner et al. 2022 (Diffuser, arXiv 2205.09991) plan so at every step; here a plan is followed for
several frames, and all environments that need a new one are planned for in a single batch.
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

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observations import select_observation
from rlpriors.device import resolve_device
from rlpriors.diffusion import ContextDenoiser, DiffusionProcess, Planner, PlannerSettings, with_context
from rlpriors.rewards.trajectory_value import TrajectoryValue
from rlpriors.types import Denoiser, RewardFn

__all__ = ["DiffuserPolicy"]


class DiffuserPolicy(Policy):
    """Plans windows with a diffusion model and executes their first frames.

    The plan in execution travels as the policy's state, one row an environment, so the policy
    itself keeps nothing of any environment, and an episode's end discards its plan.

    Args:
        denoiser: the network, [batch, horizon, dim] and [batch] to [batch, horizon, dim].
        process: noise levels and the meaning of the denoiser's output.
        frames: layout and normalization of windows.
        action_space: a Box; actions are clipped to it.
        observation_space: as Tianshou's policies; not needed to act.
        reward: what plans are guided and ranked by; None follows the prior alone.
        planner: how plans are found.
        execute: frames of a plan that are executed before the next is made.
        replan_every: environment steps after which the next plan is made instead, before these frames
            are done; None to finish them.
        obs_keys: leaves of a dictionary observation that the frames hold.
        inverse_dynamics: an `InverseDynamics`, or any module from two raw observations to the raw action
            between them: actions then come from consecutive planned states, not from the plan itself.
        context: what a `ContextDenoiser` is told for every plan, a vector; None for no context.
        context_weight: how far plans go beyond what the data did with this context, at least -1; see
            `diffusion.with_context`.
        device: where plans are computed.
        seed: source of the planner's noise.  Plans made together share one draw of it: apart from the
            noise they get, each is what it would be alone.

    Example:
        >>> from rlpriors.data.normalize import Normalizer
        >>> from rlpriors.diffusion import NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> frames = TrajectoryLayout(8, 2, Normalizer.identity(3), Normalizer.identity(1))
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=frames.dim), frames=frames, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-2, 2, (1,)))
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    def __init__(
        self,
        *,
        denoiser: nn.Module,
        process: DiffusionProcess,
        frames: TrajectoryLayout,
        action_space: gym.Space[Any],
        observation_space: gym.Space[Any] | None = None,
        reward: RewardFn | TrajectoryValue | None = None,
        planner: PlannerSettings | None = None,
        execute: int = 1,
        replan_every: int | None = None,
        obs_keys: Sequence[str] | None = None,
        inverse_dynamics: nn.Module | None = None,
        context: Sequence[float] | Tensor | None = None,
        context_weight: float = 0.0,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        if not isinstance(action_space, gym.spaces.Box) or len(action_space.shape) != 1:
            raise ValueError(f"`action_space` must be a Box with one axis. Received {action_space}.")
        if action_space.shape != (frames.act.dim,):
            raise ValueError(
                f"`action_space` has {action_space.shape[0]} entries, but `frames` was made for actions of "
                f"{frames.act.dim}. Fit the frames to data of this environment."
            )
        if not 1 <= execute < frames.horizon:
            raise ValueError(
                f"`execute` must be at least 1 and less than the horizon of {frames.horizon} frames. "
                f"Received {execute}."
            )
        steps = execute * frames.stride
        if replan_every is not None and not 1 <= replan_every <= steps:
            raise ValueError(
                f"`replan_every` must be at least 1 and at most {steps}, the steps of the frames that are "
                f"executed. Received {replan_every}."
            )
        if context is not None and not isinstance(denoiser, ContextDenoiser):
            raise ValueError(
                "`context` needs a denoiser that is told one. Received a "
                f"{type(denoiser).__name__}; wrap it in a ContextDenoiser and train it so."
            )
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.denoiser, self.process, self.frames = denoiser, process, frames
        self.reward, self.planner = reward, planner or PlannerSettings()
        self.execute, self.replan_every, self.obs_keys = execute, replan_every, obs_keys
        self.inverse_dynamics = inverse_dynamics
        self.context, self.context_weight = context, context_weight
        self.device = resolve_device(device)
        self.to(self.device)
        self.reseed(seed)

    def __setattr__(self, name: str, value: Any) -> None:
        # As a submodule, a learned reward could never again give way to a plain function.
        if name == "reward":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def reseed(self, seed: int) -> None:
        """Begin the planner's noise anew."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions are of the frames' sizes."""
        for name, array, wanted in (
            ("observations", data.obs, self.frames.obs),
            ("actions", data.act, self.frames.act),
        ):
            dim = int(np.prod(array.shape[1:]))
            if dim != wanted.dim:
                raise ValueError(
                    f"The data's {name} have {dim} entries, but the policy's `frames` were made for "
                    f"{wanted.dim}. Give data of the same environment, or choose other `obs_keys`."
                )

    def plan(
        self,
        obs: Tensor | np.ndarray,
        *,
        previous: Tensor | None = None,
        reward: RewardFn | TrajectoryValue | None = None,
    ) -> Tensor:
        """Normalized windows [batch, horizon, dim] that begin in raw observations `obs` [batch, obs].

        Args:
            obs: where the plans begin.
            previous: earlier plans, shifted to begin now, for a warm start.
            reward: used in place of the policy's own.
        """
        reward = self.reward if reward is None else reward
        # Unlike numpy's, torch's copy is always float32 and contiguous.
        start = torch.as_tensor(obs, device=self.device).float().reshape(len(obs), -1)
        if start.shape[1] != self.frames.obs_dim:
            raise ValueError(
                f"`obs` must have {self.frames.obs_dim} entries, as the data that the policy's `frames` were "
                f"fitted to. Received {start.shape[1]}. For dictionary observations set `obs_keys`."
            )
        if not start.isfinite().all():
            raise ValueError("`obs` must be finite. Received NaN or infinity; check the environment.")
        denoiser: Denoiser = self.denoiser
        if self.context is not None:
            context = torch.as_tensor(self.context, dtype=torch.float32, device=self.device)
            denoiser = with_context(
                cast(ContextDenoiser, denoiser), context.reshape(1, -1), self.context_weight
            )
        plan = Planner(self.process, denoiser, self.planner).plan(
            self.frames.start(start),
            None if reward is None else self.frames.value(reward),
            previous=previous,
            generator=self._generator,
        )
        return plan.window

    @torch.no_grad()
    def actions(self, windows: Tensor) -> Tensor:
        """The raw actions [batch, execute, act] that begin normalized plans [batch, horizon, dim]."""
        obs, act = self.frames.unpack(windows)
        if self.inverse_dynamics is None:
            return act[:, : self.execute]
        found: Tensor = self.inverse_dynamics(obs[:, : self.execute], obs[:, 1 : self.execute + 1])
        return found

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """The next action of each environment; those at the end of their plan get a new one first.

        `state` is what the last call returned: the raw actions still to execute (`actions`
        [batch, execute, act]), the steps left of them (`left` [batch], 0 for none) and, for warm
        starts only, the plan itself.
        """
        obs = batch.obs.to_dict() if isinstance(batch.obs, Batch) else batch.obs
        vectors = select_observation(obs, self.obs_keys, batch_dims=1)
        state = self._empty_state(len(vectors)) if state is None else Batch(state, copy=True)
        new = np.flatnonzero(state.left == 0)
        if len(new):
            self._replan(state, vectors, new)
        step = self._steps - state.left
        act = state.actions[np.arange(len(vectors)), step // self.frames.stride]
        state.left = state.left - 1
        return cast(ActStateBatchProtocol, Batch(act=act, state=state))

    @property
    def _steps(self) -> int:
        """Environment steps from one plan to the next."""
        return self.execute * self.frames.stride if self.replan_every is None else self.replan_every

    def _empty_state(self, n: int) -> Batch:
        state = Batch(
            actions=np.zeros((n, self.execute, self.frames.act.dim), np.float32), left=np.zeros(n, np.int64)
        )
        if self.planner.warm_start > 0:
            state.plan = np.zeros((n, self.frames.horizon, self.frames.dim), np.float32)
            state.planned = np.zeros(n, np.bool_)
        return state

    def _replan(self, state: Batch, vectors: np.ndarray, rows: np.ndarray) -> None:
        box = cast(gym.spaces.Box, self.action_space)
        for group, previous in self._groups(state, rows):
            windows = self.plan(vectors[group], previous=previous)
            act = self.actions(windows).cpu().numpy()
            state.actions[group] = np.clip(act, box.low, box.high)
            state.left[group] = self._steps
            if "plan" in state:
                state.plan[group] = windows.cpu().numpy()
                state.planned[group] = True

    def _groups(self, state: Batch, rows: np.ndarray) -> list[tuple[np.ndarray, Tensor | None]]:
        """Rows to plan for from noise, and rows with an earlier plan to start from."""
        if "plan" not in state:
            return [(rows, None)]
        cold, warm = rows[~state.planned[rows]], rows[state.planned[rows]]
        done = self._steps // self.frames.stride  # whole frames since the plan was made
        shifted = np.concatenate([state.plan[warm, done:], np.repeat(state.plan[warm, -1:], done, 1)], axis=1)
        groups = [(cold, None), (warm, torch.from_numpy(shifted).to(self.device))]
        return [(group, previous) for group, previous in groups if len(group)]
