"""Losses on cosine similarities of two views.

`nt_xent`      normalized temperature-scaled cross-entropy over both views (SimCLR)
`cosine_loss`  2 - 2 cos to a target (BYOL)
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["cosine_loss", "nt_xent"]


def nt_xent(
    a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"], temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Return NT-Xent, with all other vectors of both views as negatives (2002.05709, eq. 1)."""
    both = F.normalize(torch.cat([a, b]).float(), dim=1)
    logits = both @ both.T / temperature
    logits = logits.masked_fill(torch.eye(len(both), dtype=torch.bool, device=both.device), -torch.inf)
    label = torch.arange(len(both), device=both.device).roll(len(a))
    return F.cross_entropy(logits, label)


def cosine_loss(
    prediction: Float[Tensor, "*batch dim"], target: Float[Tensor, "*batch dim"]
) -> Float[Tensor, ""]:
    """Return the mean of 2 - 2 cos, which is 0 for vectors of equal direction (2006.07733, eq. 2)."""
    return (2 - 2 * F.cosine_similarity(prediction.float(), target.float(), dim=-1)).mean()
