"""Training of a small policy on the plans of a planner.

`PlannerDistillation`     offline algorithm that trains a `FastPlannerPolicy`
`DistillationSettings`    settings of that training
`DistillationStats`       training statistics of one update
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy
from rlpriors.agents.diffusion.fast.plans import PlanBuffer
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.diffusion.flow import draw_times, flow_loss
from rlpriors.networks.base import check_at_least
from rlpriors.networks.flow_mlp import FlowMLP
from rlpriors.settings import check_fields

__all__ = ["DistillationSettings", "DistillationStats", "PlannerDistillation"]


@dataclass(frozen=True)
class DistillationSettings:
    """Settings of `PlannerDistillation`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_best: int = 1
    """Number of the best plans of a state that proposals imitate, at least 1.  The best one is the
    teacher's own choice, if `record_plans` had its default `n_candidates`."""
    distinct: float = 0.5
    """Fraction of the rows that train mean velocities over an interval, in [0, 1]; the other rows train
    velocities."""
    value_weight: float = 1.0
    """Weight of the value's loss, at least 0."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, n_best=self.n_best)
        if not 0 <= self.distinct <= 1:
            raise ValueError(f"`distinct` must be in [0, 1]. Received {self.distinct}.")
        if self.value_weight < 0:
            raise ValueError(f"`value_weight` must be at least 0. Received {self.value_weight}.")


@dataclass(kw_only=True)
class DistillationStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Loss of the proposals plus the weighted loss of the value."""
    flow_loss: float
    """Mean squared error of the flow, in normalized units."""
    value_loss: float
    """Mean squared error of the advantages; 1 is the error of the constant 0."""


class PlannerDistillation(MovingAverageAlgorithm[FastPlannerPolicy]):
    """Offline algorithm that trains a `FastPlannerPolicy` on recorded plans.

    The flow learns the `n_best` best plans of each state, and the value learns the advantages of all of
    them.  The optimizer trains copies of both networks; the policy acts with their moving averages.
    Training resumes bit-equal.  The buffer of the training is a `PlanBuffer` of `record_plans`.

    Args:
        policy: policy to train, of `FastPlannerPolicy.of(teacher)`.
        optim: factory of the optimizer.
        settings: settings of the training.
        ema_decay: decay of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of batches and noise.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerSettings
        >>> from rlpriors.data.normalize import Normalizer
        >>> policy = FastPlannerPolicy(
        ...     action_space=gym.spaces.Box(-1, 1, (1,)), obs=Normalizer.identity(3),
        ...     act=Normalizer.identity(1), settings=FastPlannerSettings(horizon=4), device="cpu")
        >>> rng = np.random.default_rng(0)
        >>> plans = PlanBuffer(rng.normal(size=(9, 3)), np.zeros((9, 5, 4, 1)), rng.normal(size=(9, 5)))
        >>> algorithm = PlannerDistillation(policy=policy, optim=AdamOptimizerFactory())
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=plans, batch_size=16, max_epochs=1, epoch_num_steps=5, show_progress=False,
        ...     verbose=False))
        >>> info.update_step
        5
    """

    def __init__(
        self,
        *,
        policy: FastPlannerPolicy,
        optim: OptimizerFactory,
        settings: DistillationSettings | None = None,
        ema_decay: float = 0.995,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, FastPlannerPolicy, "build one by `FastPlannerPolicy.of(teacher)`")
        super().__init__(policy=policy, seed=seed)
        self.settings = settings or DistillationSettings()
        self.online = deepcopy(self.averaged).requires_grad_(True)
        self._start_training(optim, ema_decay=ema_decay, max_grad_norm=max_grad_norm)

    @property
    def averaged(self) -> nn.Module:
        """Networks of the policy: flow and value."""
        return nn.ModuleList([self.policy.flow, self.policy.value])

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Check the plans, once before training.

        Raises:
            TypeError: `buffer` is no `PlanBuffer`.
            ValueError: the plans do not fit the policy.
            CheckpointError: the training was resumed, and was started with other plans.
        """
        plans = self._plans(buffer)
        self._set_data(plans.fingerprint())
        return cast(TBuffer, plans.started(self.seed, int(self.updates)))

    def check_resumed_data(self, buffer: ReplayBuffer) -> None:
        """Check that a resumed training continues on the plans that it was started with.

        Raises:
            CheckpointError: the plans are others.
        """
        if self._resumed:
            self._set_data(self._plans(buffer).fingerprint())

    def _plans(self, buffer: ReplayBuffer) -> PlanBuffer:
        check_type("buffer", buffer, PlanBuffer, "record one by `record_plans(teacher, data)`")
        plans, policy = cast(PlanBuffer, buffer), self.policy
        sizes = (policy.obs.dim, policy.settings.horizon, policy.act.dim)
        received = (plans.states.shape[1], *plans.chunks.shape[2:])
        if received != sizes:
            raise ValueError(
                f"`buffer` must hold plans of observations, time steps and actions of sizes {sizes}, as the "
                f"policy. Received {received}; record plans of the teacher of this policy."
            )
        return plans

    def _update_with_batch(self, batch: Any) -> DistillationStats:
        policy, settings, generator = self.policy, self.settings, self.generator()
        flow, value = cast(nn.ModuleList, self.online)
        obs, act, scores = (torch.as_tensor(batch[k]).to(policy.device) for k in ("obs", "act", "value"))
        chunks, advantages = policy.act(act), normalized_advantages(scores)
        n, k = scores.shape
        # One of the best plans of each state.
        best = scores.topk(min(settings.n_best, k), dim=1).indices
        pick = torch.randint(best.shape[1], (n, 1), generator=generator, device=policy.device)
        rows = torch.arange(n, device=policy.device)
        x = chunks[rows, best.gather(1, pick)[:, 0]].flatten(1)
        r, t = draw_times(n, settings.distinct, generator=generator, device=policy.device)
        noise = torch.randn(x.shape, generator=generator, device=policy.device)
        clone = flow_loss(policy.field(obs, cast(FlowMLP, flow)), x, noise=noise, r=r, t=t, power=0.5)
        predicted = policy.advantages(obs.repeat_interleave(k, 0), chunks.flatten(0, 1), value)
        error = (predicted - advantages.flatten()).square().mean()
        loss = clone + settings.value_weight * error
        self._optimize(loss)
        return DistillationStats(loss=loss.item(), flow_loss=clone.item(), value_loss=error.item())


def normalized_advantages(values: Float[Tensor, "states plans"]) -> Float[Tensor, "states plans"]:
    """Return values less the mean of their state, in units of their standard deviation in the state.

    States whose plans are equally good have advantages 0.

    Example:
        >>> normalized_advantages(torch.tensor([[1.0, 3.0], [5.0, 5.0]])).tolist()
        [[-1.0, 1.0], [0.0, 0.0]]
    """
    off = values - values.mean(1, keepdim=True)
    scale = off.square().mean(1, keepdim=True).sqrt()
    return torch.where(scale > 1e-6 * values.abs().amax().clamp(min=1e-6), off / scale.clamp(min=1e-12), 0.0)
