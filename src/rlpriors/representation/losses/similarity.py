"""The losses of representation learning, as functions of tensors.

`nt_xent`      two views against all others of both (SimCLR)
`cosine`       2 - 2 cos to a target (BYOL)
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["cosine", "nt_xent"]


def nt_xent(
    a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"], temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Each vector must find its partner among all others of both views (2002.05709, eq. 1)."""
    both = F.normalize(torch.cat([a, b]).float(), dim=1)
    logits = both @ both.T / temperature
    logits = logits.masked_fill(torch.eye(len(both), dtype=torch.bool, device=both.device), -torch.inf)
    partner = torch.arange(len(both), device=both.device).roll(len(a))
    return F.cross_entropy(logits, partner)


def cosine(prediction: Float[Tensor, "*batch dim"], target: Float[Tensor, "*batch dim"]) -> Float[Tensor, ""]:
    """2 - 2 cos of the angle between them, 0 where they point the same way (2006.07733, eq. 2)."""
    return (2 - 2 * F.cosine_similarity(prediction.float(), target.float(), dim=-1)).mean()
