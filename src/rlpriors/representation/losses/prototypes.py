"""Losses that sort vectors by prototypes.

`sinkhorn`   scores to an assignment that uses all prototypes alike
`swapped`    each view must predict the other's assignment (SwAV)
`distilled`  one view must say what a teacher says of the other, sharpened and centered (DINO)
`cosines`, `first_directions`   scores, and the directions that these are of
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["cosines", "distilled", "first_directions", "sinkhorn", "swapped"]


def first_directions(count: int, dim: int) -> nn.Parameter:
    """`count` random unit vectors of `dim` numbers, to be learned.

    Raises:
        ValueError: `count` is below 2.
    """
    if count < 2:
        raise ValueError(f"`count` of prototypes must be at least 2. Received {count}.")
    return nn.Parameter(F.normalize(torch.randn(count, dim), dim=1))


def cosines(
    z: Float[Tensor, "batch dim"], directions: Float[Tensor, "prototypes dim"]
) -> Float[Tensor, "batch prototypes"]:
    """Of every vector with every direction."""
    return F.normalize(z, dim=1) @ F.normalize(directions, dim=1).T


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


def distilled(
    student: Float[Tensor, "batch prototypes"],
    teacher: Float[Tensor, "batch prototypes"],
    center: Float[Tensor, " prototypes"],
    temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> Float[Tensor, ""]:
    """Cross-entropy from the student's scores to the teacher's, less their `center` (2104.14294, eq. 2 and
    algorithm 1): the lower temperature keeps it from saying everything, the center from saying one thing.
    """
    target = ((teacher.float() - center.float()) / teacher_temperature).softmax(1)
    return F.cross_entropy(student.float() / temperature, target)
