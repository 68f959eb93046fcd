"""Inverse dynamics: the action between one observation and a later one.

`InverseDynamics`          network from two raw observations to the raw action between them
`InverseDynamicsSettings`  sizes of that network
`InverseDynamicsTraining`  offline algorithm that trains it
`InverseDynamicsStats`     training statistics of one update

Planned states are often more accurate than the actions planned with them, because actions change faster
and are harder to denoise (Ajay et al. 2022, arXiv 2211.15657, section 4.1).  A small network trained on
the same data computes the action between consecutive planned states.
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
from rlpriors.data.normalize import DiscreteActions, Normalizer, action_index
from rlpriors.networks.base import check_at_least
from rlpriors.networks.mlp import build_mlp
from rlpriors.settings import check_fields

__all__ = [
    "InverseDynamics",
    "InverseDynamicsSettings",
    "InverseDynamicsStats",
    "InverseDynamicsTraining",
]


@dataclass(frozen=True)
class InverseDynamicsSettings:
    """Sizes of an `InverseDynamics` network.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_dim: int
    """Number of entries of an observation, at least 1."""
    act_dim: int
    """Number of entries of an action, at least 1."""
    hidden: Sequence[int] = (128, 128)
    """Width of each hidden layer."""
    n_actions: int | None = None
    """Size of a Discrete space, whose actions the network classifies; None for continuous actions."""
    action_start: int = 0
    """Lowest action of the Discrete space, its `start`."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "hidden", tuple(self.hidden))  # a list when read from JSON
        check_at_least(1, obs_dim=self.obs_dim, act_dim=self.act_dim)
        check_at_least(1, **{f"hidden[{i}]": size for i, size in enumerate(self.hidden)})
        if self.n_actions is not None:
            check_at_least(1, n_actions=self.n_actions)
            if self.act_dim != 1:
                raise ValueError(f"`act_dim` must be 1 with `n_actions`. Received {self.act_dim}.")


class InverseDynamics(nn.Module):
    """Network that computes the action between two observations one time step (`stride`) apart.

    Its inputs are the first observation and the change to the second, each with its own normalizer,
    because the change within a time step is small compared to the range of observations.  The
    normalizers are buffers; `rlpriors.checkpoint.save(model, model.settings, folder)` saves them with
    the weights.  For Discrete actions the network computes logits, and its action is the most likely one.

    Args:
        settings: sizes of the network.
        obs: normalizer of observations.
        change: normalizer of differences between the observations of consecutive time steps.
        act: normalizer of continuous actions.

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
        self.act: Normalizer | DiscreteActions
        if settings.n_actions is None:
            self.act = act or Normalizer.identity(settings.act_dim)
        else:
            self.act = DiscreteActions(settings.n_actions, settings.action_start)
        n_outputs = settings.n_actions or settings.act_dim
        sizes = (self.obs.dim, self.change.dim, self.act.dim)
        if sizes != (settings.obs_dim, settings.obs_dim, n_outputs):
            raise ValueError(
                f"`obs`, `change` and `act` must have {settings.obs_dim}, {settings.obs_dim} and "
                f"{n_outputs} entries, the sizes in `settings`. Received {sizes}."
            )
        self.network = build_mlp(2 * settings.obs_dim, settings.hidden, n_outputs)

    @classmethod
    def fit(
        cls, data: EpisodeStore, layout: TrajectoryLayout, hidden: Sequence[int] = (128, 128)
    ) -> "InverseDynamics":
        """Create an untrained network with the normalizers of `layout` and that of changes from `data`.

        Raises:
            ValueError: no episode is as long as two time steps.
        """
        starts = data.window_starts(2, layout.stride)
        obs = data.windows(starts, 2, layout.stride).obs
        change = Normalizer.gaussian((obs[:, 1] - obs[:, 0]).flatten(1))
        space = layout.discrete_space
        n, start = (None, 0) if space is None else (int(space.n), int(space.start))
        settings = InverseDynamicsSettings(layout.obs_dim, layout.act_dim, hidden, n, start)
        act_range = None
        if isinstance(layout.act, Normalizer):
            act_range = Normalizer(layout.act.loc.cpu(), layout.act.scale.cpu())
        return cls(settings, Normalizer(layout.obs.loc.cpu(), layout.obs.scale.cpu()), change, act_range)

    def forward(
        self, obs: Float[Tensor, "*batch obs"], obs_next: Float[Tensor, "*batch obs"]
    ) -> Float[Tensor, "*batch act"]:
        """Compute the raw action that leads from one raw observation to the next."""
        return self.act.inverse(self.normalized(obs, obs_next))

    def normalized(
        self, obs: Float[Tensor, "*batch obs"], obs_next: Float[Tensor, "*batch obs"]
    ) -> Float[Tensor, "*batch act"]:
        """Compute the action in normalized units, or the logits of Discrete actions."""
        inputs = torch.cat([self.obs(obs), self.change(obs_next - obs)], dim=-1)
        out: Tensor = self.network(inputs)
        return out

    def error(
        self,
        obs: Float[Tensor, "batch obs"],
        obs_next: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
    ) -> Float[Tensor, ""]:
        """Compute the training loss: squared error in normalized units; cross-entropy of Discrete actions."""
        out = self.normalized(obs, obs_next)
        if isinstance(self.act, DiscreteActions):
            return nn.functional.cross_entropy(out, action_index(act, self.act.n, int(self.act.start)))
        error: Tensor = out - self.act(act)
        return error.square().mean()


@dataclass(kw_only=True)
class InverseDynamicsStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Mean squared error of actions in normalized units, or cross-entropy of Discrete actions."""


class InverseDynamicsTraining(WindowAlgorithm[DiffuserPolicy]):
    """Offline algorithm that trains a policy's inverse dynamics on pairs of consecutive time steps.

    It neither needs nor changes the prior, so the two can be trained in any order.  Training resumes
    bit-equal.

    Args:
        policy: policy whose `inverse_dynamics` is trained.
        optim: factory of the optimizer.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of batches.

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
        >>> layout = TrajectoryLayout.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=layout.dim), layout=layout, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)),
        ...     inverse_dynamics=InverseDynamics.fit(data, layout))
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
                "`policy.inverse_dynamics` must be an InverseDynamics to be trained. Received a "
                f"{type(policy.inverse_dynamics).__name__}; use InverseDynamics.fit(data, layout)."
            )
        self.online = policy.inverse_dynamics.requires_grad_(True)
        self.optim = self._create_optimizer(self.online, optim, max_grad_norm=max_grad_norm)

    @property
    def window_size(self) -> tuple[int, int]:
        """Two time steps of the policy's stride."""
        return 2, self.policy.layout.stride

    @property
    def absorbing(self) -> bool:
        """False: no action leads from the terminal state to itself."""
        return False

    def _update_with_batch(self, batch: Any) -> InverseDynamicsStats:
        window = self.window(batch)
        obs, act = window.obs.flatten(2), window.act.flatten(2)
        loss = self.online.error(obs[:, 0], obs[:, 1], act[:, 0])
        self._optimize(loss)
        return InverseDynamicsStats(loss=loss.item())
