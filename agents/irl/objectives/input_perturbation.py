"""Perturbation of the windows that a reward reads during training.

`InputPerturbation`  noise on windows, and actions mixed over all time steps

A reward can separate demonstrations from samples by small errors of the prior, or by the expert's actions
instead of its destinations.  Noise hides small differences.  Actions drawn from one pool for both sides
carry no information about the side.  The perturbation is not part of the reward: outside of training it
reads windows unchanged.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.settings import check_fields

__all__ = ["InputPerturbation"]


@dataclass(frozen=True)
class InputPerturbation:
    """Perturbation of demonstrated windows and of the windows they are compared with.

    Example:
        >>> pair = torch.ones(2, 3, 2), -torch.ones(2, 3, 2)
        >>> perturb = InputPerturbation(marginal_actions=True)
        >>> perturbed = perturb(*pair, obs_dim=1, generator=torch.Generator())
        >>> [bool((after[..., 0] == before[..., 0]).all()) for after, before in zip(perturbed, pair)]
        [True, True]
        >>> float(torch.cat(perturbed)[..., 1].sum())
        0.0
    """

    input_noise: float = 0.0
    """Standard deviation of the noise on every entry, in normalized units."""

    marginal_actions: bool = False
    """Replace the action of each time step by the action of a random time step of any window."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def is_identity(self) -> bool:
        """True if windows are unchanged."""
        return not (self.input_noise or self.marginal_actions)

    def __call__(
        self,
        demonstrated: Float[Tensor, "batch horizon dim"],
        others: Float[Tensor, "batch2 horizon dim"],
        *,
        obs_dim: int,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "batch horizon dim"], Float[Tensor, "batch2 horizon dim"]]:
        """Perturb normalized demonstrated windows together with the windows they are compared with.

        Both sides are mixed together: actions mixed within each side would still identify the side.
        """
        if self.is_identity:
            return demonstrated, others  # draws no random number, so results equal those without it
        x = torch.cat([demonstrated, others])
        if self.marginal_actions:
            n_steps = x.shape[0] * x.shape[1]
            order = torch.randperm(n_steps, generator=generator, device=x.device)
            act = x[..., obs_dim:].flatten(0, 1)[order].unflatten(0, x.shape[:2])
            x = torch.cat([x[..., :obs_dim], act], -1)
        if self.input_noise:
            x = x + self.input_noise * torch.randn(x.shape, generator=generator, device=x.device)
        return x[: len(demonstrated)], x[len(demonstrated) :]
