"""Training of flow policies: behavior cloning of action chunks by flow matching.

`FlowCloning`          offline algorithm that trains a `FlowPolicy` on demonstrations
`FlowCloningStats`     training statistics of one update
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch import nn

from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.diffusion.flow import draw_times, flow_loss
from rlpriors.networks.flow_mlp import FlowMLP

__all__ = ["FlowCloning", "FlowCloningStats"]


@dataclass(kw_only=True)
class FlowCloningStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Loss of the flow, in normalized units."""


class FlowCloning(MovingAverageAlgorithm[FlowPolicy]):
    """Offline algorithm that trains a `FlowPolicy` on windows.

    The optimizer trains a copy of the network; the policy acts with its exponential moving average.
    Every step of the data begins a chunk.  Actions beyond the end of an episode have weight 0 in the
    loss.  Training resumes bit-equal.

    Args:
        policy: policy to train.
        optim: factory of the optimizer.
        distinct: fraction of the chunks that train mean velocities over an interval, in [0, 1] (mean flow:
            arXiv 2505.13447); the others train velocities.  0 trains a rectified flow (arXiv 2209.03003),
            for the sampler "euler".  By default 0.5 for the sampler "jump", else 0.
        ema_decay: decay of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: number of first steps of an episode in which a chunk may start; None for all.
        seed: random seed of batches and noise.

    Raises:
        ValueError: an argument is out of its bounds, or `distinct` is 0 for a policy with the sampler "jump".

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> policy = FlowPolicy.fit(data, gym.spaces.Box(-1, 1, (1,)), device="cpu")
        >>> algorithm = FlowCloning(policy=policy, optim=AdamOptimizerFactory())
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
        policy: FlowPolicy,
        optim: OptimizerFactory,
        distinct: float | None = None,
        ema_decay: float = 0.995,
        max_grad_norm: float | None = 1.0,
        max_start: int | None = None,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, FlowPolicy, "build one by `FlowPolicy.fit`")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        jumps = policy.settings.sampler == "jump"
        self.distinct = (0.5 if jumps else 0.0) if distinct is None else distinct
        if not (0 < self.distinct <= 1 if jumps else 0 <= self.distinct <= 1):
            bound = '(0, 1] for the sampler "jump"' if jumps else "[0, 1]"
            raise ValueError(f"`distinct` must be in {bound}. Received {self.distinct}.")
        self.online = deepcopy(policy.flow).requires_grad_(True)
        self._start_training(optim, ema_decay=ema_decay, max_grad_norm=max_grad_norm)

    @property
    def averaged(self) -> nn.Module:
        """Network of the policy."""
        return self.policy.flow

    @property
    def window_size(self) -> tuple[int, int]:
        """Horizon and stride of the chunks."""
        return self.policy.settings.horizon, self.policy.settings.stride

    def resume_inputs(self) -> dict[str, Any]:
        """Return the settings that a resumed training must share, as plain data."""
        return {**super().resume_inputs(), "distinct": self.distinct}

    def _update_with_batch(self, batch: Any) -> FlowCloningStats:
        policy, generator = self.policy, self.generator()
        window = self.window(batch)
        x = policy.act(window.act)
        r, t = draw_times(len(x), self.distinct, generator=generator, device=x.device)
        loss = flow_loss(
            policy.field(window.obs[:, 0], cast(FlowMLP, self.online)),
            x.flatten(1),
            noise=torch.randn(x.flatten(1).shape, generator=generator, device=x.device),
            r=r,
            t=t,
            weight=window.mask[..., None].expand_as(x).flatten(1).float(),
            power=0.5 if self.distinct > 0 else 0.0,
        )
        self._optimize(loss)
        return FlowCloningStats(loss=loss.item())
