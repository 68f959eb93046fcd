"""C51 with the loss of self-prediction.

`SelfPredictiveC51`    distributional DQN that also predicts its own later features
`SelfPredictionStats`  training statistics of one update
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.modelfree.c51 import C51, C51Policy
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from torch import Tensor
from torch.nn import functional

from rlpriors.agents.seeding import update_seed
from rlpriors.agents.self_prediction.augmentation import augment_frames
from rlpriors.agents.self_prediction.network import PixelValueNetwork
from rlpriors.agents.self_prediction.settings import SelfPredictionSettings
from rlpriors.agents.self_prediction.windows import FutureSteps, future_steps
from rlpriors.agents.validation import check_type

__all__ = ["SelfPredictionStats", "SelfPredictiveC51"]


@dataclass(kw_only=True)
class SelfPredictionStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Sum of both losses, the second times its weight."""
    value_loss: float
    """Cross-entropy of the distribution of returns."""
    prediction_loss: float
    """Mean of 2 - 2 cos over the predicted steps, 0 for perfect predictions; 0 if its weight is 0."""


class SelfPredictiveC51(C51):
    """Distributional DQN that also predicts its own later features: SPR (arXiv 2007.05929).

    From the map of a frame, a transition model predicts the maps of the next `n_steps` frames from the
    actions. Their projections are pulled towards those of the true frames, which a copy or a moving average
    of the network computes.  Steps beyond the end of an episode are masked.  All frames of an update are
    augmented.  Both losses are weighted by the importance weights of a prioritized buffer.

    The values are those of Tianshou's C51 (double, dueling), with one difference: n-step targets bootstrap
    from the observation n steps later.  Tianshou 2.0.1 takes the next observation for any n.

    The buffer stores `obs_next`.  All randomness of an update comes from `seed` and the number of the update.
    SPR's noisy layers and dropout are left out; exploration is that of the policy.

    Args:
        policy: policy with a `PixelValueNetwork`; `make_pixel_policy` creates it.
        optim: factory of the optimizer.
        settings: settings of the loss and of the augmentation.
        gamma: discount factor of the return, in [0, 1].
        n_step: number of rewards in an n-step target, at least 1.
        target_update_interval: number of updates between copies of the network to the target network; 0 for
            no target network.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of the augmentation.

    Raises:
        TypeError: `policy` is no C51Policy with a PixelValueNetwork.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.data import Batch
        >>> from rlpriors.agents.self_prediction.files import make_pixel_policy
        >>> policy = make_pixel_policy(
        ...     gym.spaces.Box(0, 255, (1, 24, 24), np.uint8), gym.spaces.Discrete(3), layers=((8, 3, 2),))
        >>> algorithm = SelfPredictiveC51(policy=policy, optim=AdamOptimizerFactory(lr=1e-4))
        >>> buffer, frame = ReplayBuffer(20), np.zeros((1, 24, 24), np.uint8)
        >>> for t in range(10):
        ...     _ = buffer.add(Batch(
        ...         obs=frame, act=1, rew=0.0, terminated=t == 9, truncated=False, obs_next=frame, info={}))
        >>> policy.is_within_training_step = True  # a trainer does this
        >>> algorithm.update(buffer, sample_size=4).prediction_loss > 0
        True
    """

    updates: Tensor

    def __init__(
        self,
        *,
        policy: C51Policy,
        optim: OptimizerFactory,
        settings: SelfPredictionSettings | None = None,
        gamma: float = 0.99,
        n_step: int = 10,
        target_update_interval: int = 0,
        max_grad_norm: float | None = 10.0,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, C51Policy, "create one by `make_pixel_policy`")
        check_type("policy.model", policy.model, PixelValueNetwork, "create one by `make_pixel_policy`")
        super().__init__(
            policy=policy,
            optim=optim,
            gamma=gamma,
            n_step_return_horizon=n_step,
            target_update_freq=target_update_interval,
        )
        cast(Any, self).optim._max_grad_norm = max_grad_norm  # not an argument of Tianshou's C51
        self.settings = SelfPredictionSettings() if settings is None else settings
        self.seed = seed
        self.average = None
        if self.settings.weight and self.settings.target_decay:
            self.average = deepcopy(self.network).requires_grad_(False)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    @property
    def network(self) -> PixelValueNetwork:
        """Learning network."""
        return cast(PixelValueNetwork, self.policy.model)

    def prediction_errors(
        self,
        maps: Float[Tensor, "batch features rows columns"],
        steps: FutureSteps,
        generator: torch.Generator,
    ) -> Float[Tensor, " batch"]:
        """Compute the mean of 2 - 2 cos over the predicted steps of each row; masked steps count 0."""
        network, n = self.network, self.settings.n_steps
        act = torch.as_tensor(steps.act, device=maps.device).long()
        mask = torch.as_tensor(steps.mask, device=maps.device)
        with torch.no_grad():
            target = network if self.average is None else self.average
            frames = network.prepare(steps.obs_next.reshape(-1, *steps.obs_next.shape[2:]))
            projections = target.project(target.encode(self._augment(frames, generator)))
            targets = projections.unflatten(0, (-1, n))
        errors = []
        for step in range(n):
            maps = network.transition_from(maps, act[:, step])
            predicted = network.predict(network.project(maps))
            similarity = functional.cosine_similarity(predicted, targets[:, step], dim=-1)
            errors.append((2 - 2 * similarity) * mask[:, step])
        return torch.stack(errors).mean(0)

    def _target_q(self, buffer: ReplayBuffer, indices: np.ndarray) -> Tensor:
        self._last_indices = indices  # the n-th step of each target
        return super()._target_q(buffer, indices)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        batch = super()._preprocess_batch(batch, buffer, indices)
        if self.n_step > 1:
            batch.obs_next = buffer.get(self._last_indices, "obs_next")
        self._steps = future_steps(buffer, indices, self.settings.n_steps) if self.settings.weight else None
        return batch

    def _update_with_batch(self, batch: Any) -> Any:
        self._periodically_update_lagged_network_weights()
        device = self.network.value.weight.device
        generator = torch.Generator(device).manual_seed(update_seed(self.seed, int(self.updates)))
        act, weight = torch.as_tensor(batch.act, device=device).long(), batch.pop("weight", 1.0)
        maps = self.network.encode(self._augment(self.network.prepare(batch.obs), generator))
        batch.obs_next = self._augment(self.network.prepare(batch.obs_next), generator)
        with torch.no_grad():
            target = self._target_dist(batch)
        chosen = self.network.distribution(maps)[torch.arange(len(act), device=device), act]
        value_errors = -(target * torch.log(chosen + 1e-8)).sum(1)
        loss = value_loss = (value_errors * weight).mean()
        predicted = loss.new_zeros(())
        if self._steps is not None:
            predicted = (self.prediction_errors(maps, self._steps, generator) * weight).mean()
            loss = value_loss + self.settings.weight * predicted
        batch.weight = value_errors.detach()  # for a prioritized buffer
        cast(Any, self).optim.step(loss)
        self._update_average()
        self.updates += 1
        return SelfPredictionStats(
            loss=loss.item(), value_loss=value_loss.item(), prediction_loss=predicted.item()
        )

    def _augment(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        return augment_frames(frames, self.settings.shift, self.settings.intensity, generator)

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is not None:
            for averaged, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                averaged.lerp_(new, 1 - self.settings.target_decay)
