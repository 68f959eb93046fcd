"""Base class of reward learning objectives.

`Objective`        loss of the reward on demonstrations and the windows they are compared with
`ObjectiveInput`   inputs of an objective in one update
`ObjectiveOutput`  loss, compared windows and statistics of one update
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.objectives.input_perturbation import InputPerturbation
from rlpriors.agents.irl.reference import ReferenceSource, ReferenceWindows
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.types import Window

__all__ = ["Objective", "ObjectiveInput", "ObjectiveOutput"]


class ObjectiveInput(NamedTuple):
    """Inputs of an objective in one update."""

    policy: DiffuserPolicy
    """Policy with the frozen prior, the window layout and the planner's settings."""

    online: nn.Module
    """Reward that is trained."""

    averaged: nn.Module
    """Moving average of the reward, which guides samples."""

    window: Window
    """Demonstrated windows in raw units."""

    expert: Tensor
    """Demonstrated windows, normalized [batch, horizon, dim]."""

    sample_prior_data: Callable[[int], Tensor] | None
    """Function that samples n normalized windows of the prior's data; None without such data."""

    generator: torch.Generator
    """Random generator of this update, on the policy's device."""

    step: int
    """Number of updates that this objective has made before."""

    perturbation: InputPerturbation = InputPerturbation()
    """Perturbation of the windows that the reward reads in the loss."""

    reference: ReferenceWindows | None = None
    """Sources of the negatives; None for the objective's own source."""

    n_updates: int = 0
    """Number of updates of the whole training before this one."""

    has_goals: bool = False
    """True if observations contain a goal of each episode, which negatives should share."""

    progresses: bool | None = None
    """True if the order of a demonstration's time steps shows in its states (`order_accuracy`), False if it
    repeats movements, None if that is unknown."""

    def perturb(
        self, demonstrated: Float[Tensor, "batch horizon dim"], others: Float[Tensor, "batch2 horizon dim"]
    ) -> tuple[Float[Tensor, "batch horizon dim"], Float[Tensor, "batch2 horizon dim"]]:
        """Perturb windows before `online` scores them; for objectives with `evaluates_reward`."""
        obs_dim = self.policy.layout.state_dim
        return self.perturbation(demonstrated, others, obs_dim=obs_dim, generator=self.generator)


class ObjectiveOutput(NamedTuple):
    """Loss of one update, with the windows it compared and its statistics."""

    loss: Float[Tensor, ""]
    """Loss, differentiable in the parameters of the reward."""

    samples: Float[Tensor, "batch horizon dim"]
    """Windows that the demonstrations were compared with, one for each demonstration, without a graph."""

    stats: dict[str, float]
    """Further numbers to log, by name."""


class Objective(nn.Module, ABC):
    """Way to learn a reward from demonstrations and a frozen prior.

    State that must survive a resume is a buffer or a parameter.  Parameters of the objective that need a
    gradient are trained by the reward's optimizer.

    Args:
        settings: settings of the objective.
        policy: policy whose prior is used; the objective does not store it.
    """

    own_sources: ClassVar[tuple[ReferenceSource, ...]] = ("guided",)
    """Sources of the negatives without a reference: the first one whose data is given is used."""

    evaluates_reward: ClassVar[bool] = False
    """True if the loss consists of rewards of windows that `ObjectiveInput.perturb` returned."""

    def __init__(self, settings: Any, policy: DiffuserPolicy) -> None:
        super().__init__()
        self.settings = settings

    @property
    def depends_on_progress(self) -> bool:
        """True if the loss reads `ObjectiveInput.progresses`, which takes the fit of a ranking."""
        return False

    # Not abstract: most objectives need no preparation.
    def prepare(
        self, policy: DiffuserPolicy, demonstrations: WindowBuffer, prior_data: WindowBuffer | None
    ) -> None:
        """Compute constants from the data before training, unless they were restored."""

    # Not abstract: most objectives take windows of any source.
    def check_reference(self, sources: Sequence[str]) -> None:
        """Raise a ValueError unless the objective can use negatives of these sources."""

    @abstractmethod
    def forward(self, update: ObjectiveInput) -> ObjectiveOutput:
        """Compute the loss of one update, differentiable in the parameters of `update.online`."""
