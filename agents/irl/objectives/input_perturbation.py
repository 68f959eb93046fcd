"""What the reward reads of windows while it learns to tell demonstrations from others.

`Reading`  the windows with noise on them, or with actions that tell nothing

Demonstrations are told from samples by whatever the prior gets a little wrong, and by what an expert
does on its way as well as by where it goes.  Noise hides differences that are small; actions that are
drawn from one pool for both sides hide what is done.  Neither belongs to the reward: where it is used,
it reads windows as they are.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """Windows as a reward reads them while it learns.

    Example:
        >>> shown, other = torch.ones(2, 3, 2), -torch.ones(2, 3, 2)
        >>> read = Reading(marginal_actions=True)(shown, other, obs_dim=1, generator=torch.Generator())
        >>> [bool((part[..., 0] == whole[..., 0]).all()) for part, whole in zip(read, (shown, other))]
        [True, True]
        >>> float(torch.cat(read)[..., 1].sum())
        0.0
    """

    input_noise: float = 0.0
    """Standard deviation of the noise on every number, in normalized units."""

    marginal_actions: bool = False
    """Whether each frame gets the action of any frame of any window, demonstrated or not."""

    @property
    def is_plain(self) -> bool:
        """Whether windows are read as they are."""
        return not (self.input_noise or self.marginal_actions)

    def __call__(
        self,
        demonstrated: Float[Tensor, "batch horizon dim"],
        others: Float[Tensor, "batch2 horizon dim"],
        *,
        obs_dim: int,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, "batch horizon dim"], Float[Tensor, "batch2 horizon dim"]]:
        """Demonstrated windows and those they are held against, normalized, as the reward reads them.

        Both at once: actions that were mixed on each side alone would still tell the sides apart.
        """
        if self.is_plain:
            return demonstrated, others  # not a number is drawn: all goes as if this did not exist
        x = torch.cat([demonstrated, others])
        if self.marginal_actions:
            n_frames = x.shape[0] * x.shape[1]
            order = torch.randperm(n_frames, generator=generator, device=x.device)
            act = x[..., obs_dim:].flatten(0, 1)[order].unflatten(0, x.shape[:2])
            x = torch.cat([x[..., :obs_dim], act], -1)
        if self.input_noise:
            x = x + self.input_noise * torch.randn(x.shape, generator=generator, device=x.device)
        return x[: len(demonstrated)], x[len(demonstrated) :]
