"""Diffusion policy: action chunks from a diffusion model conditioned on the observation.

`DiffusionPolicy`  policy that samples action chunks (Chi et al. 2023, arXiv 2303.04137)

`diffusion_cloning` trains it on demonstrations.  Where demonstrators act differently in one state, for
example left or right around an obstacle, the mean of their actions is wrong.  This policy samples one of
the alternatives and follows it for a chunk.  It learns no reward.
"""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from einops import repeat
from jaxtyping import Float, Int
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ActStateBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.observation_reader import ObservationReader
from rlpriors.agents.validation import check_actions_of, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.diffusion import SAMPLERS, DiffusionProcess, NoiseSchedule, sample
from rlpriors.networks import build_denoiser
from rlpriors.types import Denoiser

__all__ = ["DiffusionPolicy"]


class DiffusionPolicy(ObservationReader, Policy):
    """Policy that samples action chunks for the current observation and executes their first time steps.

    The current chunk is the policy's state, one row per environment.  The policy object itself stores
    nothing about environments, the end of an episode discards its chunk, and all environments that
    need a new chunk share a single batch.

    Args:
        denoiser: any network of `rlpriors.networks` for windows of `layout`.  Its input is the clean
            observation next to each noisy action; its output for the observation is ignored.
        process: noise levels and the prediction type of the denoiser.
        layout: horizon, stride and normalization of chunks.
        action_space: a Box; actions are clipped to it.
        observation_space: as in Tianshou's policies; not needed to act.
        execution_horizon: number of time steps of a chunk that are executed before the next chunk.
        n_steps: number of denoising steps of a chunk.
        sampler: a key of `diffusion.SAMPLERS`.
        obs_keys: leaves of a dictionary observation that the policy reads.
        device: device on which chunks are sampled.
        seed: random seed of the noise.

    Example:
        >>> from rlpriors.data.normalize import Normalizer
        >>> layout = TrajectoryLayout(8, 1, Normalizer.identity(3), Normalizer.identity(1))
        >>> policy = DiffusionPolicy(
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
        execution_horizon: int = 1,
        n_steps: int = 8,
        sampler: str = "ddim",
        obs_keys: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        _check_box(action_space)
        if layout.absorbing:
            raise ValueError(
                "`layout` must not be `absorbing`: a chunk of actions ends with its episode. Received "
                "absorbing=True; fit a layout without it."
            )
        if layout.discrete_space is not None or action_space.shape != (layout.act.dim,):
            raise ValueError(
                f"`action_space` must be a Box of {layout.act.dim} entries, as the actions that `layout` was "
                f"fitted to. Received {action_space}."
            )
        if not 1 <= execution_horizon <= layout.horizon:
            raise ValueError(
                f"`execution_horizon` must be in [1, {layout.horizon}], the time steps of a chunk. "
                f"Received {execution_horizon}."
            )
        if sampler not in SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SAMPLERS)}. Received {sampler!r}.")
        process.schedule.timesteps(n_steps)  # raises a ValueError if `n_steps` is too large
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.denoiser, self.process, self.layout = denoiser, process, layout
        self.execution_horizon, self.n_steps, self.sampler = execution_horizon, n_steps, sampler
        self.set_layout(obs_keys, layout.obs_layout)
        self.device = resolve_device(device)
        self.to(self.device)
        self.reseed(seed)

    @classmethod
    def fit(
        cls,
        data: EpisodeStore,
        action_space: gym.Space[Any],
        *,
        horizon: int = 16,
        stride: int = 1,
        denoiser: str = "mlp",
        width: int = 256,
        **arguments: Any,
    ) -> "DiffusionPolicy":
        """Create an untrained policy with the ranges of `data`, small enough to train on one CPU core.

        Args:
            data: demonstrations of the environment.
            action_space: action space of the environment.
            horizon: number of time steps in a chunk.
            stride: number of environment steps in a time step, for which its action is held.
            denoiser: a key of `networks.DENOISERS`.
            width: width of an "mlp"; the other networks have their default sizes.
            arguments: arguments of the class; by default half of a chunk is executed, at most 8 time
                steps.
        """
        _check_box(action_space)
        layout = TrajectoryLayout.fit(data, horizon, stride)
        sizes = {"width": width, "blocks": 2} if denoiser == "mlp" else {}
        defaults: dict[str, Any] = {
            "execution_horizon": min(8, max(1, horizon // 2)),
            "process": DiffusionProcess(NoiseSchedule(50)),
        }
        return cls(
            denoiser=build_denoiser(denoiser, horizon, layout.dim, **sizes),
            layout=layout,
            action_space=action_space,
            **(defaults | arguments),
        )

    def reseed(self, seed: int) -> None:
        """Restart the noise from `seed`."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the layout."""
        check_sizes(data, obs=self.layout.obs.dim, act=self.layout.act.dim)
        check_actions_of("act", data, self.action_space)
        self.record_layout(data)

    def action_denoiser(self, obs: Float[Tensor, "batch obs"], denoiser: Denoiser | None = None) -> Denoiser:
        """Return a denoiser of action chunks for raw observations; `denoiser` replaces the policy's own."""
        network = denoiser or self.denoiser
        known = repeat(self.layout.obs(obs), "b o -> b h o", h=self.layout.horizon)

        def denoise(
            x: Float[Tensor, "batch horizon act"], t: Int[Tensor, " batch"]
        ) -> Float[Tensor, "batch horizon act"]:
            out: Tensor = network(torch.cat([known, x], dim=-1), t)
            return out[..., self.layout.obs_dim :]

        return denoise

    @torch.no_grad()
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """Sample a chunk of raw actions for each row of raw observations: an array, tensor or batch."""
        rows = read_observations(obs, self.obs_layout, self.layout.obs_dim, self.device)
        shape = (len(rows), self.layout.horizon, self.layout.act.dim)
        noise = torch.randn(shape, generator=self._generator, device=self.device)
        x = sample(
            self.process,
            self.action_denoiser(rows),
            noise,
            n_steps=self.n_steps,
            sampler=self.sampler,
            generator=self._generator,
        )
        return self.layout.act.inverse(x)

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """Return the next action of each environment, with new chunks where a chunk is used up.

        `state` is the state that the last call returned: the raw actions of the chunk (`actions`
        [batch, steps, act]) and the number of environment steps left of them (`left` [batch], 0 for
        none).
        """
        n, stride = len(batch.obs), self.layout.stride
        if state is None:
            empty = np.zeros((n, self.execution_horizon, self.layout.act.dim), np.float32)
            state = Batch(actions=empty, left=np.zeros(n, np.int64))
        else:
            state = Batch(state, copy=True)
        new = np.flatnonzero(state.left == 0)
        if len(new):
            box = cast(gym.spaces.Box, self.action_space)
            actions = self.chunk(batch.obs[new])[:, : self.execution_horizon].cpu().numpy()
            state.actions[new] = actions.clip(box.low, box.high)
            state.left[new] = self.execution_horizon * stride
        step = self.execution_horizon * stride - state.left
        act = state.actions[np.arange(n), step // stride]
        state.left = state.left - 1
        return cast(ActStateBatchProtocol, Batch(act=act, state=state))


def _check_box(action_space: gym.Space[Any]) -> None:
    if isinstance(action_space, gym.spaces.Discrete):
        raise ValueError(
            f"`action_space` must be a Box: chunks are continuous actions. Received {action_space}; clone "
            "Discrete actions by `BehaviorCloning`, or plan with a `DiffuserPolicy`."
        )
