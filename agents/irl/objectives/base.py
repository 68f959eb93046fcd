"""What an objective is.

`Objective`  turns demonstrations, and what they are held against, into a loss of the reward
`Update`     what it sees of one update
`Contrast`   what it gives back
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.input_perturbation import Reading
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.types import Window

__all__ = ["Contrast", "Objective", "Update"]


class Update(NamedTuple):
    """What an objective sees of one update."""

    policy: DiffuserPolicy
    """Holds the frozen prior, the layout of windows and how plans are made."""

    online: nn.Module
    """The reward that is learned."""

    averaged: nn.Module
    """Its moving average, which guides."""

    window: Window
    """Demonstrated windows, raw."""

    expert: Tensor
    """The same, normalized [batch, horizon, dim]."""

    base: Callable[[int], Tensor] | None
    """Draws that many normalized windows of the prior's data; None where no data was given."""

    generator: torch.Generator
    """The source of all noise of this update, on the policy's device."""

    step: int
    """Updates made by this objective before."""

    reading: Reading = Reading()
    """How the reward reads what it is learned from."""

    def read(
        self, demonstrated: Float[Tensor, "batch horizon dim"], others: Float[Tensor, "batch2 horizon dim"]
    ) -> tuple[Float[Tensor, "batch horizon dim"], Float[Tensor, "batch2 horizon dim"]]:
        """Windows to be judged by `online` in a loss, as it reads them; for objectives with `judges`."""
        obs_dim = self.policy.frames.obs_dim
        return self.reading(demonstrated, others, obs_dim=obs_dim, generator=self.generator)


class Contrast(NamedTuple):
    """What one update compares, and the loss it makes of that."""

    loss: Float[Tensor, ""]
    samples: Float[Tensor, "batch horizon dim"]
    """Windows that the demonstrations were held against, as many as these, without a graph."""

    stats: dict[str, float]
    """Further numbers to log, by name."""


class Objective(nn.Module, ABC):
    """A way to learn a reward from demonstrations and a frozen prior.

    What it must remember to go on after a stop is a buffer or a parameter.  Parameters of its own
    that need a gradient learn together with the reward, by the same optimizer.

    Args:
        settings: of the objective.
        policy: whose prior is used; not kept.
    """

    needs_base: ClassVar[bool] = False
    """Whether it needs windows of the prior's data."""

    judges: ClassVar[bool] = False
    """Whether its loss is made of rewards of demonstrations and of other windows, got by `Update.read`."""

    def __init__(self, settings: Any, policy: DiffuserPolicy) -> None:
        super().__init__()
        self.settings = settings

    # Not abstract: most objectives need nothing of it.
    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, base: WindowBuffer | None
    ) -> None:
        """Take from the data what must not change later, unless it was already; called before training."""

    @abstractmethod
    def forward(self, update: Update) -> Contrast:
        """The loss of one update, differentiable in the parameters of `update.online`."""
