"""Actions from states: which action leads from one observation to a later one.

Planned states are often better than the actions planned beside them: actions change faster and are
harder to denoise (Ajay et al. 2022, arXiv 2211.15657, section 4.1).  A small network learned from the
same data turns consecutive planned states into the action between them.

`InverseDynamics`          that network, in raw units
`InverseDynamicsSettings`  its sizes
`InverseDynamicsTraining`     the algorithm that learns it from a buffer
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import at_least
from rlpriors.networks.mlp import build_mlp

__all__ = [
    "InverseDynamics",
    "InverseDynamicsSettings",
    "InverseDynamicsStats",
    "InverseDynamicsTraining",
]


@dataclass(frozen=True)
class InverseDynamicsSettings:
    """Sizes of an `InverseDynamics`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_dim: int
    """Entries of an observation, at least 1."""
    act_dim: int
    """Entries of an action, at least 1."""
    hidden: Sequence[int] = (128, 128)
    """Width of each hidden layer."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))  # JSON brings it back as a list
        at_least(1, obs_dim=self.obs_dim, act_dim=self.act_dim)
        at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})


class InverseDynamics(nn.Module):
    """The action between two observations, `stride` steps apart as those of its frames are.

    It reads the first observation and the change to the second, each normalized on its own: the
    change within a frame is small beside the range of observations.  The normalizers are buffers,
    saved with the weights by `rlpriors.checkpoint.save(model, model.settings, folder)`.

    Args:
        settings: sizes.
        obs: normalizer of observations.
        change: normalizer of differences between consecutive frames' observations.
        act: normalizer of actions.

    Example:
        >>> model = InverseDynamics(InverseDynamicsSettings(obs_dim=3, act_dim=1))
        >>> model(torch.zeros(5, 7, 3), torch.ones(5, 7, 3)).shape
        torch.Size([5, 7, 1])
    """

    def __init__(
        self,
        settings: InverseDynamicsSettings,
        obs: Normalizer | None = None,
        change: Normalizer | None = None,
        act: Normalizer | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.obs = obs or Normalizer.identity(settings.obs_dim)
        self.change = change or Normalizer.identity(settings.obs_dim)
        self.act = act or Normalizer.identity(settings.act_dim)
        sizes = (self.obs.dim, self.change.dim, self.act.dim)
        if sizes != (settings.obs_dim, settings.obs_dim, settings.act_dim):
            raise ValueError(
                f"The normalizers must be of {settings.obs_dim}, {settings.obs_dim} and {settings.act_dim} "
                f"entries, as `settings` say. Received {sizes}."
            )
        self.network = build_mlp(2 * settings.obs_dim, settings.hidden, settings.act_dim)

    @classmethod
    def fit(
        cls, data: EpisodeStore, frames: TrajectoryLayout, hidden: Sequence[int] = (128, 128)
    ) -> "InverseDynamics":
        """An untrained one with the normalizers of `frames`, and that of changes from `data`.

        Raises:
            ValueError: no episode is as long as two frames.
        """
        starts = data.window_starts(2, frames.stride)
        obs = data.windows(starts, 2, frames.stride).obs
        change = Normalizer.gaussian((obs[:, 1] - obs[:, 0]).flatten(1))
        settings = InverseDynamicsSettings(frames.obs_dim, frames.act.dim, hidden)
        obs_range, act_range = (
            Normalizer(part.loc.cpu(), part.scale.cpu()) for part in (frames.obs, frames.act)
        )
        return cls(settings, obs_range, change, act_range)

    def forward(
        self, obs: Float[Tensor, "*batch obs"], obs_next: Float[Tensor, "*batch obs"]
    ) -> Float[Tensor, "*batch act"]:
        """The raw action that leads from one raw observation to the next."""
        return self.act.inverse(self.normalized(obs, obs_next))

    def normalized(
        self, obs: Float[Tensor, "*batch obs"], obs_next: Float[Tensor, "*batch obs"]
    ) -> Float[Tensor, "*batch act"]:
        """The same in normalized units, in which it is learned."""
        seen = torch.cat([self.obs(obs), self.change(obs_next - obs)], dim=-1)
        out: Tensor = self.network(seen)
        return out


@dataclass(kw_only=True)
class InverseDynamicsStats(TrainingStats):
    """What one update did."""

    loss: float
    """Mean squared error of actions, in normalized units."""


class InverseDynamicsTraining(WindowAlgorithm[DiffuserPolicy]):
    """Learns a policy's inverse dynamics from pairs of consecutive frames; it resumes bit-equal.

    The prior is not needed for it and not touched: the two are learned in any order.

    Args:
        policy: whose `inverse_dynamics` is learned.
        optim: makes the optimizer.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: source of batches.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode
        >>> from rlpriors.data.buffers import to_buffer
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> walk = Episode(np.arange(20.0)[:, None], np.ones((19, 1)), *np.zeros((3, 19)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> frames = TrajectoryLayout.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=frames.dim), frames=frames, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)),
        ...     inverse_dynamics=InverseDynamics.fit(data, frames))
        >>> algorithm = InverseDynamicsTraining(policy=policy, optim=AdamOptimizerFactory())
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> info.update_step
        5
    """

    def __init__(
        self,
        *,
        policy: DiffuserPolicy,
        optim: OptimizerFactory,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(policy=policy, seed=seed)
        if not isinstance(policy.inverse_dynamics, InverseDynamics):
            raise ValueError(
                "`policy.inverse_dynamics` must be an InverseDynamics to be learned. Received a "
                f"{type(policy.inverse_dynamics).__name__}; take InverseDynamics.fit(data, frames)."
            )
        self.online = policy.inverse_dynamics.requires_grad_(True)
        self.optim = self._create_optimizer(self.online, optim, max_grad_norm=max_grad_norm)

    @property
    def window_size(self) -> tuple[int, int]:
        """Two frames, as far apart as those of the policy."""
        return 2, self.policy.frames.stride

    def _update_with_batch(self, batch: Any) -> InverseDynamicsStats:
        window = self.window(batch)
        obs, act = window.obs.flatten(2), window.act.flatten(2)
        error = self.online.normalized(obs[:, 0], obs[:, 1]) - self.online.act(act[:, 0])
        loss = error.square().mean()
        self.optim.step(loss)
        self.updates += 1
        return InverseDynamicsStats(loss=loss.item())
