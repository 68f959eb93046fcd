"""Losses of comparisons and grades: pure functions of segment scores.

`preference_probability`  probability that the second segment of a pair is better
`bradley_terry_loss`      cross entropy of labeled pairs
`ordinal_loss`            cross entropy of grades under cumulative thresholds
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["bradley_terry_loss", "ordinal_loss", "preference_probability"]


def preference_probability(scores: Float[Tensor, "pairs 2"]) -> Float[Tensor, " pairs"]:
    """Return the probability sigmoid(score2 - score1) that the second segment is better.

    The score of a segment is the sum of its rewards (Bradley & Terry 1952, Biometrika 39; Christiano et
    al. 2017, arXiv 1706.03741, eq. 1).

    Example:
        >>> preference_probability(torch.tensor([[1.0, 1.0], [0.0, torch.log(torch.tensor(3.0))]]))
        tensor([0.5000, 0.7500])
    """
    return torch.sigmoid(scores[:, 1] - scores[:, 0])


def bradley_terry_loss(
    scores: Float[Tensor, "pairs 2"],
    labels: Int[Tensor, " pairs"],
    confidence: Float[Tensor, " pairs"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of labels under `preference_probability`, weighted by confidence.

    An undecided pair has the target 1/2: its loss is smallest where both scores are equal.

    Args:
        scores: sum of the rewards of each segment.
        labels: 0 where the first segment is better, 1 where the second is, -1 where neither is.
        confidence: weight of each pair, above 0; 1 by default.  The mean is divided by their sum.

    Example:
        >>> scores = torch.tensor([[0.0, 0.0], [0.0, torch.log(torch.tensor(3.0))]])
        >>> bradley_terry_loss(scores, torch.tensor([0, 1])).exp() ** 2  # 1 / (1/2 * 3/4)
        tensor(2.6667)
    """
    target = torch.where(labels < 0, 0.5, labels.to(scores.dtype))
    logits = scores[:, 1] - scores[:, 0]
    losses = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if confidence is None:
        return losses.mean()
    weight = confidence.to(losses.dtype)
    return (weight * losses).sum() / weight.sum()


def ordinal_loss(
    scores: Float[Tensor, " segments"],
    thresholds: Float[Tensor, " steps"],
    grades: Int[Tensor, " segments"],
) -> Float[Tensor, ""]:
    """Return the mean cross entropy of the decisions "the grade is above k", for each k.

    The probability that a segment's grade is above k is sigmoid(score - threshold k), so that one score
    orders all grades (cumulative logits; McCullagh 1980, J. R. Stat. Soc. B 42).

    Args:
        scores: score of each segment.
        thresholds: one number between neighboring grades, one fewer than there are grades.
        grades: grade of each segment, 0 to the number of thresholds; a higher grade has a higher score.

    Example:
        >>> loss = ordinal_loss(torch.zeros(1), torch.zeros(3), torch.tensor([2]))
        >>> loss.exp()  # three decisions of probability 1/2
        tensor(2.)
    """
    above = grades[:, None] > torch.arange(len(thresholds), device=grades.device)
    logits = scores[:, None] - thresholds
    loss: Tensor = nn.functional.binary_cross_entropy_with_logits(logits, above.to(logits.dtype))
    return loss
