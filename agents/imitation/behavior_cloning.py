"""Behavior cloning: actions by supervised learning, without a word on why they were taken.

`BehaviorCloningPolicy`  a network from one observation to one action, or to a distribution of it
`BehaviorCloning`        learns it from demonstrations (Pomerleau 1991; the baseline of all imitation)

What is cloned holds where demonstrations were; small errors lead away from there and add up (Ross &
Bagnell 2010, 2011, arXiv 1011.0686).  It learns no reward, so nothing of it transfers.
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

from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.validation import check_kind, check_sizes, read_observations
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.networks.mlp import build_mlp

__all__ = ["BehaviorCloning", "BehaviorCloningPolicy", "CloningLoss"]

CloningLoss = Literal["mse", "nll"]

LOG_STD = (-4.0, 1.0)  # of normalized actions: a deterministic demonstrator must not end the training


class BehaviorCloningPolicy(ImitationPolicy):
    """An MLP from the observation to the action.

    For a Box it gives the mean of normalized actions and, with `loss="nll"`, their spread at this
    observation; for a Discrete space the logits of all actions.

    Args:
        action_space: a Box with one axis, whose actions are clipped to it, or a Discrete.
        obs: normalizer of observations.
        act: normalizer of a Box's actions; None for a Discrete space.
        hidden: width of each hidden layer.
        loss: of a Box's actions: squared error of the mean, or negative log-likelihood of a normal
            distribution.  A Discrete space always takes the negative log-likelihood.
        deterministic: whether it acts by the mean or the likeliest action instead of drawing one.
        observation_space: as Tianshou's policies; not needed to act.
        obs_keys: leaves of a dictionary observation that it reads.
        device: where actions are computed.
        seed: source of drawn actions.

    Example:
        >>> import numpy as np
        >>> policy = BehaviorCloningPolicy(
        ...     action_space=gym.spaces.Box(-2, 2, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), device="cpu")
        >>> policy(Batch(obs=np.zeros((5, 3)), info={})).act.shape
        (5, 1)
    """

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
            act = None  # numbers of actions have no size
        elif act is None or action_space.shape != (act.dim,):
            raise ValueError(
                f"`act` must normalize the {action_space.shape[0]} entries of the action space. Received "
                f"{act}; fit it to data of this environment."
            )
        if not deterministic and loss == "mse" and act is not None:
            raise ValueError(
                '`deterministic` must be True with loss="mse", which learns no spread to draw from. '
                'Received False; take loss="nll".'
            )
        super().__init__(
            actor=build_mlp(obs.dim, hidden, n_out),
            action_space=action_space,
            observation_space=observation_space,
            action_scaling=False,
            action_bound_method=None,
        )
        self.obs, self.act = obs, act
        self.loss, self.deterministic, self.obs_keys = loss, deterministic, obs_keys
        self.device = resolve_device(device)
        self.to(self.device)
        self.reseed(seed)

    @classmethod
    def fit(
        cls, data: EpisodeStore, action_space: gym.Space[Any], **arguments: Any
    ) -> "BehaviorCloningPolicy":
        """An untrained policy with the normalizers of `data`; `arguments` as the class takes them."""
        obs = Normalizer.gaussian(data.obs.reshape(len(data.obs), -1))
        continuous = isinstance(action_space, gym.spaces.Box)
        act = Normalizer.limits(data.act.reshape(len(data.act), -1)) if continuous else None
        return cls(action_space=action_space, obs=obs, act=act, **arguments)

    def reseed(self, seed: int) -> None:
        """Begin the drawing of actions anew."""
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def check_data(self, data: EpisodeStore) -> None:
        """Raise a ValueError unless the data's observations and actions are those of the policy."""
        check_sizes(data, obs=self.obs.dim, act=1 if self.act is None else self.act.dim)
        if (self.act is None) != (data.act.dtype.kind != "f"):
            raise ValueError(
                f"The data's actions are {data.act.dtype}, which a policy for {self.action_space} cannot "
                "learn: a Discrete space wants integers, a Box floating-point numbers."
            )
        if self.act is None:
            low, n = self._discrete
            if data.act.min() < low or data.act.max() >= low + n:
                raise ValueError(
                    f"The data's actions must be in {low}..{low + n - 1}, as {self.action_space}. Received "
                    f"{data.act.min()}..{data.act.max()}."
                )

    def outputs(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch out"]:
        """What the network makes of raw observations: normalized means (and log spreads), or logits."""
        out: Tensor = self.actor(self.obs(obs))
        return out

    def cloning_loss(
        self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, ""]:
        """How badly the policy tells the raw actions of a demonstration from its raw observations."""
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
        """The action of each environment (`act`, raw) and what it comes from (`logits`)."""
        out = self.outputs(read_observations(batch.obs, self.obs_keys, self.obs.dim, self.device))
        chosen = self._act(out).cpu().numpy()
        if isinstance(self.action_space, gym.spaces.Box):
            chosen = chosen.clip(self.action_space.low, self.action_space.high)
        return cast(ModelOutputBatchProtocol, Batch(logits=out, act=chosen, state=None))

    def _act(self, out: Tensor) -> Tensor:
        if self.act is None:
            if self.deterministic:
                return out.argmax(1) + self._discrete[0]
            drawn = torch.multinomial(out.softmax(1), 1, generator=self._generator)
            return drawn[:, 0] + self._discrete[0]
        if self.loss == "mse":
            return self.act.inverse(out)
        mean, log_std = _normal(out)
        if not self.deterministic:
            noise = torch.randn(mean.shape, generator=self._generator, device=mean.device)
            mean = mean + log_std.exp() * noise
        return self.act.inverse(mean)

    @property
    def _discrete(self) -> tuple[int, int]:
        """The number of the first action, and how many there are."""
        space = cast(gym.spaces.Discrete, self.action_space)
        return int(space.start), int(space.n)


def _normal(out: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_std = out.chunk(2, dim=1)
    return mean, log_std.clamp(*LOG_STD)


class BehaviorCloning(WindowAlgorithm[BehaviorCloningPolicy]):
    """Learns a `BehaviorCloningPolicy` from the transitions of a buffer, and resumes bit-equal.

    Args:
        policy: what is learned.
        optim: makes the optimizer.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: use only the first steps of each episode; None for all.
        seed: source of batches.

    Raises:
        TypeError: `policy` is none of these.

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
        check_kind("policy", policy, BehaviorCloningPolicy, "make one by `BehaviorCloningPolicy.fit`")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.optim = self._create_optimizer(policy.actor, optim, max_grad_norm=max_grad_norm)

    @property
    def window_size(self) -> tuple[int, int]:
        """One frame of one step: a transition."""
        return 1, 1

    def _update_with_batch(self, batch: Any) -> ImitationTrainingStats:
        window = self.window(batch)
        loss = self.policy.cloning_loss(window.obs[:, 0], window.act[:, 0])
        self.optim.step(loss)
        self.updates += 1
        return ImitationTrainingStats(loss=loss.item())
