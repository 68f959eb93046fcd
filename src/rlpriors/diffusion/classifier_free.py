"""Classifier-free guidance: denoisers with and without a context (Ho & Salimans 2022, arXiv 2207.12598).

`ContextDenoiser`  denoiser with an optional context vector
`with_context`     combination of both predictions that amplifies the context

A context is one vector for each window: a target return, a task, a goal.  A `Condition` fixes known
entries exactly and is the better choice for them.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlpriors.types import Denoiser

__all__ = ["ContextDenoiser", "with_context"]


class ContextDenoiser(nn.Module):
    """Denoiser with an optional context, made from a network of wider time steps.

    Each time step is extended by the context and a 1.  Without a context these entries are 0, which
    differs from a context of zeros.  The network's output for these entries is dropped.  The class has
    no weights of its own: save and load `network`.

    Called with a window and a time only, it is an ordinary `Denoiser` without context.

    Args:
        network: a denoiser of time steps of `dim + context_dim + 1` entries.
        context_dim: number of entries of a context.

    Example:
        >>> from rlpriors.networks import build_denoiser
        >>> model = ContextDenoiser(build_denoiser("mlp", horizon=8, dim=3 + 2 + 1), context_dim=2)
        >>> x, t = torch.zeros(5, 8, 3), torch.zeros(5, dtype=torch.long)
        >>> model(x, t).shape, model(x, t, torch.ones(5, 2)).shape
        (torch.Size([5, 8, 3]), torch.Size([5, 8, 3]))
    """

    def __init__(self, network: nn.Module, context_dim: int) -> None:
        super().__init__()
        if context_dim < 1:
            raise ValueError(f"`context_dim` must be at least 1. Received {context_dim}.")
        self.network, self.context_dim = network, context_dim

    def forward(
        self,
        x: Float[Tensor, "batch horizon dim"],
        t: Int[Tensor, " batch"],
        context: Float[Tensor, "batch context"] | None = None,
        dropped: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch horizon dim"]:
        """Apply the network to windows at their diffusion times.

        Args:
            x: noisy windows.
            t: their diffusion times.
            context: one vector for each window; None for no context.
            dropped: True for windows whose context is ignored.

        Raises:
            ValueError: the contexts have a different size.
        """
        extension = x.new_zeros(len(x), self.context_dim + 1)
        if context is not None:
            if context.shape[1] != self.context_dim:
                raise ValueError(
                    f"`context` must have {self.context_dim} entries. Received {context.shape[1]}."
                )
            extension = torch.cat([context.to(x), x.new_ones(len(x), 1)], dim=1)
        if dropped is not None:
            extension = extension * ~dropped[:, None]
        repeated = extension[:, None].expand(-1, x.shape[1], -1)
        output: Tensor = self.network(torch.cat([x, repeated], dim=-1), t)
        return output[..., : x.shape[-1]]

    def given(
        self,
        context: Float[Tensor, "batch context"],
        *,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Denoiser:
        """Return the denoiser of windows with these contexts, for `denoising_loss`.

        Args:
            context: one vector for each window.
            dropout: fraction of the windows, drawn now, that is trained without context (arXiv
                2207.12598, algorithm 1; 0.1 or 0.2 is usual).  Guidance needs more than 0.
            generator: the generator of the draw, on the context's device.
        """
        if not 0 <= dropout <= 1:
            raise ValueError(f"`dropout` must be in [0, 1]. Received {dropout}.")
        drawn = torch.rand(len(context), generator=generator, device=context.device)
        return lambda x, t, /: self(x, t, context, drawn < dropout)


def with_context(model: ContextDenoiser, context: Float[Tensor, "rows context"], weight: float) -> Denoiser:
    """Return the denoiser (1 + w) model(x, context) - w model(x) (arXiv 2207.12598, eq. 6).

    Both terms are computed in one batch.  The weights add up to 1, so the combination is the same for
    predictions of noise, clean windows or velocities.

    Args:
        model: trained with dropped contexts.
        context: one vector for each window, or for each group of consecutive candidates.
        weight: guidance weight.  0 follows the data of this context, larger weights amplify the
            context, -1 ignores it.

    Example:
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule, sample
        >>> from rlpriors.networks import build_denoiser
        >>> model = ContextDenoiser(build_denoiser("mlp", horizon=8, dim=3 + 1 + 1), context_dim=1)
        >>> denoiser = with_context(model, torch.ones(2, 1), weight=1.5)
        >>> process, noise = DiffusionProcess(NoiseSchedule(20)), torch.randn(6, 8, 3)
        >>> sample(process, denoiser, noise, n_steps=4).shape  # three windows for each context
        torch.Size([6, 8, 3])
    """
    if weight < -1:
        raise ValueError(f"`weight` must be at least -1. Received {weight}.")

    def denoiser(x: Tensor, t: Tensor, /) -> Tensor:
        if len(x) % len(context):
            raise ValueError(
                f"`context` must divide the windows evenly. Received {len(context)} contexts for {len(x)} "
                "windows."
            )
        each = context.repeat_interleave(len(x) // len(context), 0)
        if weight == 0:
            only: Tensor = model(x, t, each)
            return only
        dropped = torch.arange(2 * len(x), device=x.device) >= len(x)
        both = model(torch.cat([x, x]), torch.cat([t, t]), torch.cat([each, each]), dropped)
        conditional, unconditional = both.chunk(2)
        mixed: Tensor = (1 + weight) * conditional - weight * unconditional
        return mixed

    return denoiser
