"""Diffusion policy: chunks of actions from a diffusion model that is given the observation.

Chi et al. 2023, arXiv 2303.04137; `diffusion_cloning` learns it from demonstrations.

Where a mean of what demonstrators did would be wrong - left and right around an obstacle - it draws
one of them and keeps to it for a chunk, which makes it a strong clone.  It learns no reward.
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
from rlpriors.agents.validation import check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.device import resolve_device
from rlpriors.diffusion import SAMPLERS, DiffusionProcess, NoiseSchedule, sample
from rlpriors.networks import build_denoiser
from rlpriors.types import Denoiser

__all__ = ["DiffusionPolicy"]


class DiffusionPolicy(Policy):
    """Draws chunks of actions for the current observation and executes their first frames.

    The chunk in execution travels as the policy's state, one row an environment: the policy itself
    keeps nothing of any environment, an episode's end discards its chunk, and all environments
    that need a new one get it in a single batch.

    Args:
        denoiser: any of `rlpriors.networks` for windows of `frames`.  It sees the clean observation
            beside each noisy action; what it puts out for the observation is ignored.
        process: noise levels and the meaning of the denoiser's output.
        frames: horizon, stride and normalization of chunks.
        action_space: a Box; actions are clipped to it.
        observation_space: as Tianshou's policies; not needed to act.
        execute: frames of a chunk that are executed before the next is drawn.
        n_steps: denoising steps of a chunk.
        sampler: a key of `diffusion.SAMPLERS`.
        obs_keys: leaves of a dictionary observation that it reads.
        device: where chunks are drawn.
        seed: source of the noise.

    Example:
        >>> from rlpriors.data.normalize import Normalizer
        >>> frames = TrajectoryLayout(8, 1, Normalizer.identity(3), Normalizer.identity(1))
        >>> policy = DiffusionPolicy(
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
        execute: int = 1,
        n_steps: int = 8,
        sampler: str = "ddim",
        obs_keys: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        if not isinstance(action_space, gym.spaces.Box) or action_space.shape != (frames.act.dim,):
            raise ValueError(
                f"`action_space` must be a Box of {frames.act.dim} entries, as the actions that `frames` was "
                f"fitted to. Received {action_space}."
            )
        if not 1 <= execute <= frames.horizon:
            raise ValueError(
                f"`execute` must be in [1, {frames.horizon}], the frames of a chunk. Received {execute}."
            )
        if sampler not in SAMPLERS:
            raise ValueError(f"`sampler` must be one of {sorted(SAMPLERS)}. Received {sampler!r}.")
        process.schedule.timesteps(n_steps)  # raises a ValueError unless there are so many
        super().__init__(action_space, observation_space, action_scaling=False, action_bound_method=None)
        self.denoiser, self.process, self.frames = denoiser, process, frames
        self.execute, self.n_steps, self.sampler, self.obs_keys = execute, n_steps, sampler, obs_keys
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
        """An untrained policy of a size that learns on one CPU core, with the ranges of `data`.

        Args:
            data: demonstrations of the environment.
            action_space: the environment's.
            horizon: frames in a chunk.
            stride: environment steps in a frame, for which its action is held.
            denoiser: a key of `networks.DENOISERS`.
            width: of an "mlp"; the other networks keep their own sizes.
            arguments: as the class takes them; by default half of a chunk is executed, at most 8 frames.
        """
        frames = TrajectoryLayout.fit(data, horizon, stride)
        sizes = {"width": width, "blocks": 2} if denoiser == "mlp" else {}
        defaults: dict[str, Any] = {
            "execute": min(8, max(1, horizon // 2)),
            "process": DiffusionProcess(NoiseSchedule(50)),
        }
        return cls(
            denoiser=build_denoiser(denoiser, horizon, frames.dim, **sizes),
            frames=frames,
            action_space=action_space,
            **(defaults | arguments),
        )

    def reseed(self, seed: int) -> None:
        """Begin the noise anew."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions are of the frames' sizes."""
        check_sizes(data, obs=self.frames.obs.dim, act=self.frames.act.dim)

    def given(self, obs: Float[Tensor, "batch obs"], denoiser: Denoiser | None = None) -> Denoiser:
        """The denoiser of action chunks for these raw observations; of `denoiser` instead of the own."""
        network = denoiser or self.denoiser
        known = repeat(self.frames.obs(obs), "b o -> b h o", h=self.frames.horizon)

        def denoise(
            x: Float[Tensor, "batch horizon act"], t: Int[Tensor, " batch"]
        ) -> Float[Tensor, "batch horizon act"]:
            out: Tensor = network(torch.cat([known, x], dim=-1), t)
            return out[..., self.frames.obs_dim :]

        return denoise

    @torch.no_grad()
    def chunk(self, obs: Any) -> Float[Tensor, "batch horizon act"]:
        """A chunk of raw actions for each row of raw observations: an array, a tensor or a batch."""
        rows = read_observations(obs, self.obs_keys, self.frames.obs_dim, self.device)
        shape = (len(rows), self.frames.horizon, self.frames.act.dim)
        noise = torch.randn(shape, generator=self._generator, device=self.device)
        x = sample(
            self.process,
            self.given(rows),
            noise,
            n_steps=self.n_steps,
            sampler=self.sampler,
            generator=self._generator,
        )
        return self.frames.act.inverse(x)

    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Batch | np.ndarray | None = None, **kwargs: Any
    ) -> ActStateBatchProtocol:
        """The next action of each environment; those at the end of their chunk get a new one first.

        `state` is what the last call returned: the raw actions to execute (`actions`
        [batch, execute, act]) and the steps left of them (`left` [batch], 0 for none).
        """
        n, stride = len(batch.obs), self.frames.stride
        if state is None:
            empty = np.zeros((n, self.execute, self.frames.act.dim), np.float32)
            state = Batch(actions=empty, left=np.zeros(n, np.int64))
        else:
            state = Batch(state, copy=True)
        new = np.flatnonzero(state.left == 0)
        if len(new):
            box = cast(gym.spaces.Box, self.action_space)
            actions = self.chunk(batch.obs[new])[:, : self.execute].cpu().numpy()
            state.actions[new] = actions.clip(box.low, box.high)
            state.left[new] = self.execute * stride
        step = self.execute * stride - state.left
        act = state.actions[np.arange(n), step // stride]
        state.left = state.left - 1
        return cast(ActStateBatchProtocol, Batch(act=act, state=state))
