"""Training of ACT-JEPA policies on demonstrations, and on observations without actions.

`ActJEPA`       offline algorithm that trains an `ActJEPAPolicy`
`ActJEPAStats`  training statistics of one update
`masked_l1`     mean absolute error over the time steps of the episode
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.imitation.act_jepa.networks import ObservationEncoder
from rlpriors.agents.imitation.act_jepa.policy import ActJEPAPolicy
from rlpriors.agents.imitation.act_jepa.settings import ActJEPASettings
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks.base import check_at_least
from rlpriors.representation.target_networks import TargetNetworkSettings

__all__ = ["ActJEPA", "ActJEPAStats", "masked_l1"]


@dataclass(kw_only=True)
class ActJEPAStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Weighted sum of the losses."""
    action_loss: float
    """Mean absolute error of normalized actions; 0 if actions are not read."""
    latent_loss: float
    """Mean absolute error of latent observations; 0 without a latent loss."""
    target_std: float
    """Standard deviation of the targets of the next observation over the batch: near 0 if the latents have
    collapsed, and 0 without a latent loss."""


class ActJEPA(WindowAlgorithm[ActJEPAPolicy]):
    """Offline algorithm that trains an `ActJEPAPolicy` (arXiv 2501.14622) and resumes bit-equal.

    From the current observation, learned queries decode a chunk of actions and predict the latents of the
    next observations.  A moving average of the encoder computes these latents.  Both losses are absolute
    errors over the steps inside the episode.  Every step of the data begins a chunk.

    A first stage with `read_actions=False` learns from observations only, such as recordings of other agents.
    The second stage continues with the same policy and the `target` of the first.

    Args:
        policy: policy to train.
        optim: factory of the optimizer.
        n_updates: total number of updates, at which the momentum reaches its final value.
        read_actions: False to train on the latent loss only; the actions of the data are not read.
        target: target encoder of a first stage, which is copied; None starts with a copy of the encoder.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: number of first steps of an episode in which a chunk may start; None for all.
        seed: random seed of batches and dropout.

    Raises:
        TypeError: `policy` is not an `ActJEPAPolicy`.
        ValueError: actions are not read and the policy has no latent loss, or `target` is of another size.

    Example:
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> policy = ActJEPAPolicy.fit(data, gym.spaces.Box(-1, 1, (1,)), device="cpu")
        >>> algorithm = ActJEPA(policy=policy, optim=AdamOptimizerFactory(), n_updates=5)
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> info.update_step
        5
    """

    pad = True

    def __init__(
        self,
        *,
        policy: ActJEPAPolicy,
        optim: OptimizerFactory,
        n_updates: int,
        read_actions: bool = True,
        target: ObservationEncoder | None = None,
        max_grad_norm: float | None = 1.0,
        max_start: int | None = None,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, ActJEPAPolicy, "build one with `ActJEPAPolicy.fit`")
        check_at_least(1, n_updates=n_updates)
        if not read_actions and policy.network.predictor is None:
            raise ValueError(
                "`read_actions` must be True for a policy without a latent loss. Received False with "
                "latent_weight=0; set a positive `latent_weight`."
            )
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.n_updates, self.read_actions = n_updates, read_actions
        self.target = deepcopy(policy.network.encoder)
        if target is not None:
            _copy_weights(target, self.target)
        self.target.requires_grad_(False)
        self.optim = self._create_optimizer(policy.network, optim, max_grad_norm=max_grad_norm)
        decays = policy.settings.momentum, policy.settings.final_momentum
        self._momentum = TargetNetworkSettings("ema", *decays)

    @property
    def settings(self) -> ActJEPASettings:
        """Settings of the policy, which a resumed training shares."""
        return self.policy.settings

    @property
    def window_size(self) -> tuple[int, int]:
        """Horizon and stride of the windows: a chunk and the observation after it."""
        return self.settings.horizon + 1, self.settings.stride

    @property
    def momentum(self) -> float:
        """Decay of the target encoder's moving average in this update, on half a cosine."""
        return self._momentum.decay_at(int(self.updates) / self.n_updates)

    def resume_inputs(self) -> dict[str, Any]:
        """Return the settings that a resumed training must share, as plain data."""
        own = {"n_updates": self.n_updates, "read_actions": self.read_actions}
        return super().resume_inputs() | own

    def _store(self, buffer: ReplayBuffer) -> EpisodeStore:
        store = super()._store(buffer)
        if self.read_actions:
            return store
        box = cast(gym.spaces.Box, self.policy.action_space)
        still = np.clip(np.zeros(box.shape, np.float32), box.low, box.high)
        return replace(store, act=np.tile(still, (store.n_steps, 1)), action_space=None)

    def _update_with_batch(self, batch: Any) -> ActJEPAStats:
        window, policy = self.window(batch), self.policy
        network, valid = policy.network, window.mask[:, :-1]
        obs = policy.obs(window.obs)
        self.target.eval()  # an update sets the training mode of the whole algorithm
        with _seeded_dropout(policy.device, update_seed(self.seed, int(self.updates))):
            tokens = network.encoder(obs[:, 0])
            action_loss = latent_loss = torch.zeros((), device=policy.device)
            spread = 0.0
            if self.read_actions:
                action_loss = masked_l1(network.decoder(tokens), policy.act(window.act[:, :-1]), valid)
            if network.predictor is not None:
                targets = self.target.targets(obs[:, 1:], valid)
                latent_loss = masked_l1(network.predictor(tokens), targets, valid)
                spread = targets[:, 0].std(0, unbiased=False).mean().item()
            loss = action_loss + self.settings.latent_weight * latent_loss
        self._optimize(loss)
        parts = action_loss.item(), latent_loss.item()
        return ActJEPAStats(loss=loss.item(), action_loss=parts[0], latent_loss=parts[1], target_std=spread)

    def _optimize(self, loss: Tensor) -> None:
        """Take one gradient step on `loss`, update the moving average and count the update."""
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = self.target.parameters(), self.policy.network.encoder.parameters()
            get_ema_multi_avg_fn(self.momentum)(tuple(averaged), tuple(online), self.updates)
        self.updates += 1


@contextmanager
def _seeded_dropout(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the generators of dropout on the CPU and on `device`, and restore them at the end."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def masked_l1(
    predicted: Float[Tensor, "batch steps dim"],
    target: Float[Tensor, "batch steps dim"],
    valid: Bool[Tensor, "batch steps"],
) -> Float[Tensor, ""]:
    """Return the mean absolute error over the valid steps.

    Example:
        >>> one, two = torch.zeros(1, 2, 2), torch.tensor([[[1.0, 2.0], [9.0, 9.0]]])
        >>> masked_l1(one, two, torch.tensor([[True, False]]))
        tensor(1.5000)
    """
    error = (predicted - target).abs().mean(-1)
    return (error * valid).sum() / valid.sum()


def _copy_weights(source: ObservationEncoder, into: ObservationEncoder) -> None:
    try:
        into.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise ValueError(
            "`target` must have the sizes of the policy's encoder. Received one of other sizes; give the "
            "`target` of a first stage with the same policy."
        ) from error
