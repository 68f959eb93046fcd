"""Base class of offline algorithms that keep a moving average of the network they train.

`MovingAverageAlgorithm`  window algorithm with an optimizer and an exponential moving average
"""

from abc import abstractmethod

import torch
from tianshou.algorithm.optim import OptimizerFactory
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.offline_algorithm import AnyPolicy, WindowAlgorithm

__all__ = ["MovingAverageAlgorithm"]


class MovingAverageAlgorithm(WindowAlgorithm[AnyPolicy]):
    """Window algorithm that trains `online` and keeps its exponential moving average, `averaged`.

    A subclass sets `online`, defines `averaged` and calls `_start_training` in its constructor.  Each
    update ends with `_optimize(loss)`.
    """

    online: nn.Module
    """Network that the optimizer trains."""

    @property
    @abstractmethod
    def averaged(self) -> nn.Module:
        """Moving average of `online`, a module of the same shape without gradients."""

    def _start_training(
        self,
        optim: OptimizerFactory,
        *,
        ema_decay: float,
        max_grad_norm: float | None,
        trained: nn.Module | None = None,
    ) -> None:
        """Create the optimizer of `trained`, by default `online`, and freeze `averaged`."""
        if not 0 <= ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {ema_decay}.")
        self.averaged.requires_grad_(False)
        trained = self.online if trained is None else trained
        self.optim = self._create_optimizer(trained, optim, max_grad_norm=max_grad_norm)
        self._average = get_ema_multi_avg_fn(ema_decay)

    def _optimize(self, loss: Tensor) -> None:
        """Take one gradient step on `loss`, update the moving average and count the update."""
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = tuple(self.averaged.parameters()), tuple(self.online.parameters())
            self._average(averaged, online, self.updates)
        self.updates += 1
