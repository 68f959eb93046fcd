"""Behavior cloning: the demonstrator's actions by supervised learning.

`BehaviorCloningPolicy`  network from an observation to an action or an action distribution
`BehaviorCloning`        offline algorithm that trains it on demonstrations (Pomerleau 1991)

A cloned policy is valid near the demonstrations only.  Its small errors lead away from them and add up
(Ross & Bagnell 2010, 2011, arXiv 1011.0686).  It learns no reward, so nothing transfers to other tasks.
"""

from collections.abc import Sequence
from typing import Any, Literal, cast, get_args

import gymnasium as gym
import torch
from jaxtyping import Float
from tianshou.algorithm.imitation.imitation_base import ImitationPolicy, ImitationTrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol
from torch import Tensor, nn

from rlpriors.agents.observation_reader import ObservationReader
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.validation import check_actions_of, check_sizes, check_type, read_observations
from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.networks.mlp import build_mlp
from rlpriors.spaces.actions import check_continuous

__all__ = ["BehaviorCloning", "BehaviorCloningPolicy", "CloningLoss"]

CloningLoss = Literal["mse", "nll"]

LOG_STD = (-4.0, 1.0)  # bounds for normalized actions: a deterministic demonstrator has log std -inf


class BehaviorCloningPolicy(ObservationReader, ImitationPolicy):
    """Multilayer perceptron from the observation to the action.

    For a Box the outputs are the mean of normalized actions and, with `loss="nll"`, their log standard
    deviation; for a Discrete space they are the logits of all actions.

    Args:
        action_space: a Box with one axis, whose actions are clipped to it, or a Discrete.
        obs: normalizer of observations.
        act: normalizer of a Box's actions; None for a Discrete space.
        hidden: width of each hidden layer.
        loss: loss of a Box's actions: squared error of the mean, or negative log-likelihood of a normal
            distribution.  A Discrete space always has the negative log-likelihood.
        deterministic: True to act by the mean or the most likely action, False to sample.
        observation_space: as in Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that the policy reads.
        device: device on which actions are computed.
        seed: random seed of sampled actions.

    Example:
        >>> import numpy as np
        >>> policy = BehaviorCloningPolicy(
        ...     action_space=gym.spaces.Box(-2, 2, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), device="cpu")
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

    @check_arguments
    def __init__(
        self,
        *,
        action_space: gym.Space[Any],
        obs: Normalizer,
        act: Normalizer | None = None,
        hidden: Sequence[int] = (128, 128),
        loss: CloningLoss = "mse",
        deterministic: bool = True,
        observation_space: gym.Space[Any] | None = None,
        obs_keys: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        seed: int = 0,
    ) -> None:
        if loss not in get_args(CloningLoss):
            raise ValueError(f"`loss` must be one of {get_args(CloningLoss)}. Received {loss!r}.")
        check_continuous(action_space)
        if isinstance(action_space, gym.spaces.Discrete):
            n_out = int(action_space.n)
        elif isinstance(action_space, gym.spaces.Box) and len(action_space.shape) == 1:
            n_out = action_space.shape[0] * (1 + (loss == "nll"))
        else:
            raise ValueError(
                f"`action_space` must be a Box with one axis or a Discrete. Received {action_space}; "
                "flatten it by a wrapper first."
            )
        if not isinstance(action_space, gym.spaces.Box):
            act = None  # Discrete actions are not normalized
        elif act is None or action_space.shape != (act.dim,):
            raise ValueError(
                f"`act` must normalize the {action_space.shape[0]} entries of the action space. Received "
                f"{act}; fit it to data of this environment."
            )
        if not deterministic and loss == "mse" and act is not None:
            raise ValueError(
                '`deterministic` must be True with loss="mse", which learns no standard deviation. '
                'Received False; use loss="nll".'
            )
        super().__init__(
            actor=build_mlp(obs.dim, hidden, n_out),
            action_space=action_space,
            observation_space=observation_space,
            action_scaling=False,
            action_bound_method=None,
        )
        self.obs, self.act = obs, act
        self.loss, self.deterministic = loss, deterministic
        self.set_layout(obs_keys, None)
        self.device = resolve_device(device)
        self.to(self.device)
        self.reseed(seed)

    @classmethod
    def fit(
        cls, data: EpisodeStore, action_space: gym.Space[Any], **arguments: Any
    ) -> "BehaviorCloningPolicy":
        """Create an untrained policy with the normalizers of `data`; `arguments` go to the class."""
        obs = Normalizer.gaussian(data.obs.reshape(len(data.obs), -1))
        continuous = isinstance(action_space, gym.spaces.Box)
        act = Normalizer.limits(data.act.reshape(len(data.act), -1)) if continuous else None
        policy = cls(action_space=action_space, obs=obs, act=act, **arguments)
        policy.record_layout(data)
        return policy

    def reseed(self, seed: int) -> None:
        """Restart the sampling of actions from `seed`."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions fit the policy."""
        check_sizes(data, obs=self.obs.dim, act=1 if self.act is None else self.act.dim)
        self.record_layout(data)
        check_actions_of("act", data, self.action_space)

    def outputs(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch out"]:
        """Compute normalized means (and log standard deviations), or logits, of raw observations."""
        out: Tensor = self.actor(self.obs(obs))
        return out

    def cloning_loss(
        self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, ""]:
        """Compute the loss of the policy on raw observations and raw actions of demonstrations."""
        out = self.outputs(obs)
        if self.act is None:
            numbers = act[:, 0].long() - self._discrete[0]
            return nn.functional.cross_entropy(out, numbers)
        target = self.act(act)
        if self.loss == "mse":
            return nn.functional.mse_loss(out, target)
        mean, log_std = _normal(out)
        loss: Tensor = (0.5 * ((target - mean) / log_std.exp()).square() + log_std).mean()
        return loss

    @torch.no_grad()
    def forward(
        self, batch: ObsBatchProtocol, state: dict[str, Any] | Any = None, **kwargs: Any
    ) -> ModelOutputBatchProtocol:
        """Return the action of each environment (`act`, raw) and the network's outputs (`logits`)."""
        out = self.outputs(read_observations(batch.obs, self.obs_layout, self.obs.dim, self.device))
        act = self._act(out).cpu().numpy()
        if isinstance(self.action_space, gym.spaces.Box):
            act = act.clip(self.action_space.low, self.action_space.high)
        return cast(ModelOutputBatchProtocol, Batch(logits=out, act=act, state=None))

    def _act(self, out: Tensor) -> Tensor:
        if self.act is None:
            if self.deterministic:
                return out.argmax(1) + self._discrete[0]
            sampled = torch.multinomial(out.softmax(1), 1, generator=self._generator)
            return sampled[:, 0] + self._discrete[0]
        if self.loss == "mse":
            return self.act.inverse(out)
        mean, log_std = _normal(out)
        if not self.deterministic:
            noise = torch.randn(mean.shape, generator=self._generator, device=mean.device)
            mean = mean + log_std.exp() * noise
        return self.act.inverse(mean)

    @property
    def _discrete(self) -> tuple[int, int]:
        """Number of the first action, and number of actions."""
        space = cast(gym.spaces.Discrete, self.action_space)
        return int(space.start), int(space.n)


def _normal(out: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = out.chunk(2, dim=1)
    return mean, log_std.clamp(*LOG_STD)


class BehaviorCloning(WindowAlgorithm[BehaviorCloningPolicy]):
    """Offline algorithm that trains a `BehaviorCloningPolicy` on transitions and resumes bit-equal.

    Args:
        policy: policy to train.
        optim: factory of the optimizer.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: number of first steps of an episode that are used; None for all.
        seed: random seed of batches.

    Raises:
        TypeError: `policy` is not a `BehaviorCloningPolicy`.

    Example:
        >>> import numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.full((8, 1), 0.5), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> policy = BehaviorCloningPolicy.fit(data, gym.spaces.Box(-1, 1, (1,)), device="cpu")
        >>> algorithm = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-2))
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=8, max_epochs=1, epoch_num_steps=50,
        ...     show_progress=False, verbose=False))
        >>> bool(abs(policy(Batch(obs=np.array([[3.0]]), info={})).act - 0.5) < 0.1)
        True
    """

    def __init__(
        self,
        *,
        policy: BehaviorCloningPolicy,
        optim: OptimizerFactory,
        max_grad_norm: float | None = 1.0,
        max_start: int | None = None,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, BehaviorCloningPolicy, "build one with `BehaviorCloningPolicy.fit`")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.optim = self._create_optimizer(policy.actor, optim, max_grad_norm=max_grad_norm)

    @property
    def window_size(self) -> tuple[int, int]:
        """Horizon 1 and stride 1: single transitions."""
        return 1, 1

    def _update_with_batch(self, batch: Any) -> ImitationTrainingStats:
        window = self.window(batch)
        loss = self.policy.cloning_loss(window.obs[:, 0], window.act[:, 0])
        self._optimize(loss)
        return ImitationTrainingStats(loss=loss.item())
