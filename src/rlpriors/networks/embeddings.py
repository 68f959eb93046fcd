"""How a network is told where on the diffusion's clock it stands.

`sinusoidal`     whole diffusion steps as sines and cosines of many frequencies
`TimeEmbedding`  the same, followed by one learned layer
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["TimeEmbedding", "sinusoidal"]


def sinusoidal(
    t: Int[Tensor, " batch"], features: int, max_period: float = 10_000.0
) -> Float[Tensor, "batch features"]:
    """Embed whole numbers as `[cos(w t), sin(w t)]`, `w` falling geometrically from 1 to about 1/max_period.

    The transformer's position code (1706.03762, section 3.5), used for diffusion time since DDPM
    (2006.11239).  Always computed in float32: a half-precision phase would blur neighboring steps.

    Raises:
        ValueError: `features` is odd or below 2.
    """
    if features < 2 or features % 2:
        raise ValueError(f"`features` must be even and at least 2 (sine and cosine). Received {features}.")
    exponent = torch.arange(features // 2, device=t.device, dtype=torch.float32) / (features // 2)
    phase = t.float()[:, None] * torch.exp(-math.log(max_period) * exponent)
    return torch.cat([phase.cos(), phase.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    """Diffusion time as `width` learned numbers, ready for one linear layer in each block.

    Example:
        >>> import torch
        >>> from rlpriors.networks.embeddings import TimeEmbedding
        >>> TimeEmbedding(features=32, width=64)(torch.tensor([0, 49])).shape
        torch.Size([2, 64])
    """

    def __init__(self, features: int, width: int) -> None:
        """`features` sines and cosines go in, `width` activations come out."""
        super().__init__()
        self.features = features
        self.layer = nn.Linear(features, width)

    def forward(self, t: Int[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        """Embed one diffusion step for each row."""
        code = sinusoidal(t, self.features).to(self.layer.weight.dtype)
        return nn.functional.silu(self.layer(code))
