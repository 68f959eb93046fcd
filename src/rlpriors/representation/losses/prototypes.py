"""Clustering losses over prototypes (SwAV, DINO).

`init_prototypes`    random unit vectors as learnable prototypes
`cosine_similarity`  scores of vectors by prototypes
`sinkhorn`           balanced assignment of rows to prototypes
`swav_loss`          cross-entropy of each view's scores to the other view's assignment
`dino_loss`          cross-entropy of student scores to centered, sharpened teacher scores
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["cosine_similarity", "dino_loss", "init_prototypes", "sinkhorn", "swav_loss"]


def init_prototypes(n_prototypes: int, dim: int) -> nn.Parameter:
    """Return `n_prototypes` random unit vectors of `dim` entries as a parameter.

    Raises:
        ValueError: `n_prototypes` is below 2.
    """
    if n_prototypes < 2:
        raise ValueError(f"`n_prototypes` must be at least 2. Received {n_prototypes}.")
    return nn.Parameter(F.normalize(torch.randn(n_prototypes, dim), dim=1))


def cosine_similarity(
    z: Float[Tensor, "batch dim"], prototypes: Float[Tensor, "prototypes dim"]
) -> Float[Tensor, "batch prototypes"]:
    """Return the cosine similarity of each vector with each prototype."""
    return F.normalize(z, dim=1) @ F.normalize(prototypes, dim=1).T


@torch.no_grad()
def sinkhorn(
    scores: Float[Tensor, "batch prototypes"], epsilon: float = 0.05, iterations: int = 3
) -> Float[Tensor, "batch prototypes"]:
    """Return probabilities of prototypes with equal use of all prototypes (2006.09882, eq. 3 and 4).

    Rows sum to 1, columns approximately to batch / prototypes.
    """
    log = scores.float() / epsilon
    for _ in range(iterations):
        log = log - log.logsumexp(0, keepdim=True)
        log = log - log.logsumexp(1, keepdim=True)
    return log.exp()


def swav_loss(
    a: Float[Tensor, "batch prototypes"],
    b: Float[Tensor, "batch prototypes"],
    temperature: float = 0.1,
    epsilon: float = 0.05,
) -> Float[Tensor, ""]:
    """Return the swapped prediction loss of SwAV (2006.09882, eq. 1 and 2).

    It is the cross-entropy of each view's scores to the other view's assignment, averaged over both views.
    """
    first = F.cross_entropy(a.float() / temperature, sinkhorn(b, epsilon))
    second = F.cross_entropy(b.float() / temperature, sinkhorn(a, epsilon))
    return (first + second) / 2


def dino_loss(
    student: Float[Tensor, "batch prototypes"],
    teacher: Float[Tensor, "batch prototypes"],
    center: Float[Tensor, " prototypes"],
    temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of student to teacher scores (2104.14294, eq. 2 and algorithm 1).

    Teacher scores are centered and sharpened: the low temperature prevents a uniform distribution, the
    subtracted `center` prevents a single dominant prototype.
    """
    target = ((teacher.float() - center.float()) / teacher_temperature).softmax(1)
    return F.cross_entropy(student.float() / temperature, target)
