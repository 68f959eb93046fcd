"""Embeddings of the diffusion timestep.

`sinusoidal_embedding`  integers as sines and cosines of several frequencies
`TimeEmbedding`         sinusoidal embedding followed by one linear layer
`check_time_features`   bounds of the number of sines and cosines
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import check_at_least, check_multiple

__all__ = ["TimeEmbedding", "check_time_features", "sinusoidal_embedding"]


def sinusoidal_embedding(
    t: Int[Tensor, " batch"], features: int, max_period: float = 10_000.0
) -> Float[Tensor, "batch features"]:
    """Embed integers as `[cos(w t), sin(w t)]`, with `w` falling geometrically from 1 to about 1/max_period.

    The position embedding of the transformer (arXiv 1706.03762, section 3.5), used for diffusion
    timesteps since DDPM (arXiv 2006.11239).  Always computed in float32, since half precision cannot
    separate neighboring timesteps.

    Raises:
        ValueError: `features` is odd or below 2.
    """
    if features < 2 or features % 2:
        raise ValueError(f"`features` must be even and at least 2 (sine and cosine). Received {features}.")
    exponent = torch.arange(features // 2, device=t.device, dtype=torch.float32) / (features // 2)
    phase = t.float()[:, None] * torch.exp(-math.log(max_period) * exponent)
    return torch.cat([phase.cos(), phase.sin()], dim=-1)


def check_time_features(time_features: int) -> None:
    """Check that the number of sines and cosines is even and at least 2.

    Raises:
        ValueError: it is not.
    """
    check_at_least(2, time_features=time_features)
    check_multiple(2, "a sine and a cosine each", time_features=time_features)


class TimeEmbedding(nn.Module):
    """Learned embedding of the diffusion timestep, input of one linear layer in each block.

    Example:
        >>> import torch
        >>> from rlpriors.networks.embeddings import TimeEmbedding
        >>> TimeEmbedding(features=32, width=64)(torch.tensor([0, 49])).shape
        torch.Size([2, 64])
    """

    def __init__(self, features: int, width: int) -> None:
        """Build the embedding from `features` sines and cosines to `width` activations."""
        super().__init__()
        self.features = features
        self.layer = nn.Linear(features, width)

    def forward(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        """Embed one diffusion timestep per row."""
        embedding = sinusoidal_embedding(t, self.features).to(self.layer.weight.dtype)
        return nn.functional.silu(self.layer(embedding))
