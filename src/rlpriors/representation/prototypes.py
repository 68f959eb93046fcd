"""Losses that sort vectors by prototypes.

`sinkhorn`   scores to an assignment that uses all prototypes alike
`swapped`    each view must predict the other's assignment (SwAV)
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["sinkhorn", "swapped"]


@torch.no_grad()
def sinkhorn(
    scores: Float[Tensor, "batch prototypes"], epsilon: float = 0.05, iterations: int = 3
) -> Float[Tensor, "batch prototypes"]:
    """Probabilities of prototypes for each row, in which every prototype has the same share of the batch
    (2006.09882, eq. 3 and 4): rows sum to 1, columns nearly to batch / prototypes.
    """
    log = scores.float() / epsilon
    for _ in range(iterations):
        log = log - log.logsumexp(0, keepdim=True)
        log = log - log.logsumexp(1, keepdim=True)
    return log.exp()


def swapped(
    a: Float[Tensor, "batch prototypes"],
    b: Float[Tensor, "batch prototypes"],
    temperature: float = 0.1,
    epsilon: float = 0.05,
) -> Float[Tensor, ""]:
    """Cross-entropy from each view's scores to the other's assignment, averaged over both (2006.09882,
    eq. 1 and 2).
    """
    first = F.cross_entropy(a.float() / temperature, sinkhorn(b, epsilon))
    second = F.cross_entropy(b.float() / temperature, sinkhorn(a, epsilon))
    return (first + second) / 2
