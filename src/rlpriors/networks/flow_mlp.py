"""Networks of flow policies: mean velocities of action chunks, for a given observation.

`FlowMLP`      multi-layer perceptron of chunk, observation and two times
`time_waves`   times as low-frequency waves

The network is one plain perceptron, because a policy on a CPU waits for the number of layers rather than for
their arithmetic.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.networks.base import zero_init
from rlpriors.networks.mlp import build_mlp

__all__ = ["FlowMLP", "time_waves"]

WAVES = 4
"""Number of frequencies of each time.  Higher ones would dominate the derivative in the time."""


def time_waves(t: Float[Tensor, " batch"]) -> Float[Tensor, "batch features"]:
    """Return t, and cos(k pi t) and sin(k pi t) for k from 1 to 4, nine numbers for each time in [0, 1].

    Example:
        >>> time_waves(torch.tensor([0.0])).tolist()
        [[0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]
    """
    phase = t[:, None] * torch.arange(1, WAVES + 1, device=t.device, dtype=t.dtype) * math.pi
    return torch.cat([t[:, None], phase.cos(), phase.sin()], -1)


class FlowMLP(nn.Module):
    """Mean velocity of flat chunks between two times, for a normalized observation.

    Args:
        obs_dim: number of entries of an observation.
        chunk_dim: number of entries of a chunk, its time steps times the entries of an action.
        hidden: width of each hidden layer.

    Example:
        >>> network = FlowMLP(obs_dim=3, chunk_dim=8)
        >>> network(torch.zeros(5, 8), torch.zeros(5), torch.ones(5), torch.zeros(5, 3)).shape
        torch.Size([5, 8])
    """

    def __init__(self, obs_dim: int, chunk_dim: int, hidden: Sequence[int] = (256, 256, 256)) -> None:
        super().__init__()
        self.net = build_mlp(obs_dim + chunk_dim + 2 * (1 + 2 * WAVES), hidden, chunk_dim)
        last = self.net[-1]
        assert isinstance(last, nn.Linear)
        zero_init(last)

    def forward(
        self,
        x: Float[Tensor, "batch chunk"],
        r: Float[Tensor, " batch"],
        t: Float[Tensor, " batch"],
        obs: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, "batch chunk"]:
        """Return u(x, r, t) of `rlpriors.diffusion.flow`."""
        out: Tensor = self.net(torch.cat([obs, x, time_waves(t), time_waves(t - r)], -1))
        return out
