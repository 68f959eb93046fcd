"""Learning-rate schedules for Tianshou's optimizer factories.

`CosineSchedule`  linear warm-up and cosine decay
"""

import math

from tianshou.algorithm.optim import LRSchedulerFactory
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from rlpriors.arguments import check_arguments

__all__ = ["CosineSchedule"]


class CosineSchedule(LRSchedulerFactory):
    """Linear warm-up, then half a cosine down to `final` times the learning rate.

    Args:
        n_updates: total number of updates; afterwards the rate stays at its final value.
        warm_up: number of updates until the full rate is reached.
        final: final rate as a fraction of the full rate.

    Example:
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> optim = AdamOptimizerFactory(lr=1e-3).with_lr_scheduler_factory(CosineSchedule(1000))
    """

    @check_arguments
    def __init__(self, n_updates: int, warm_up: int = 0, final: float = 0.0) -> None:
        super().__init__()
        if n_updates < 1 or not 0 <= warm_up < n_updates:
            raise ValueError(
                f"`n_updates` must be at least 1 and `warm_up` less. Received {n_updates} and {warm_up}."
            )
        if not 0 <= final <= 1:
            raise ValueError(f"`final` must be in [0, 1]. Received {final}.")
        self.n_updates, self.warm_up, self.final = n_updates, warm_up, final

    def factor(self, update: int) -> float:
        """Return the factor on the learning rate at an update, counted from 0."""
        if update < self.warm_up:
            return (update + 1) / self.warm_up
        progress = min(1.0, (update - self.warm_up) / (self.n_updates - self.warm_up))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))

    def create_scheduler(self, optim: Optimizer) -> LRScheduler:
        """Create the torch scheduler, which Tianshou steps once per update."""
        # A lambda, because LambdaLR saves the attributes of any other callable in its state.
        return LambdaLR(optim, lambda update: self.factor(update))
