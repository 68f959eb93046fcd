"""Contrastive losses of a query against keys (InfoNCE).

`info_nce`        dot products with the keys of the other rows of a batch (CPC, ST-DIM, CURL, ATC)
`queue_info_nce`  cosine similarities with the keys of the batch and of a queue (MoCo)
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["info_nce", "queue_info_nce"]


def info_nce(
    query: Float[Tensor, "batch *places dim"],
    key: Float[Tensor, "batch *places dim"],
    same: Bool[Tensor, "batch batch"] | None = None,
) -> Float[Tensor, ""]:
    """Return InfoNCE with the other rows' keys at the same place as negatives (1807.03748, eq. 4).

    Logits are dot products of unnormalized vectors, so that a linear map in front of the query makes the
    log-bilinear model of CPC.  Places are times or cells of a map; the loss is their mean.  `same` marks
    pairs of rows with equal labels, which are excluded from each other's negatives.
    """
    query = query.flatten(1, -2) if query.ndim > 2 else query[:, None]
    key = key.flatten(1, -2) if key.ndim > 2 else key[:, None]
    logits = torch.einsum("ipd,jpd->pij", query.float(), key.float())
    rows = len(query)
    if same is not None:
        off_diagonal = ~torch.eye(rows, dtype=torch.bool, device=query.device)
        logits = logits.masked_fill(same & off_diagonal, -torch.inf)
    label = torch.arange(rows, device=query.device).expand(len(logits), rows)
    return F.cross_entropy(logits.flatten(0, 1), label.flatten())


def queue_info_nce(
    query: Float[Tensor, "batch dim"],
    key: Float[Tensor, "batch dim"],
    queue: Float[Tensor, "size dim"],
    filled: Int[Tensor, ""],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Return InfoNCE with the other rows' keys and a queue as negatives (1911.05722, eq. 1).

    Logits are cosine similarities divided by `temperature`.  The first `filled` rows of `queue` are used.
    Until the queue is full, each negative is weighted up to the number of negatives of a full queue, so
    that the scale of the loss is the same from the first update on.
    """
    query, key = F.normalize(query.float(), dim=1), F.normalize(key.float(), dim=1)
    rows, size = len(query), len(queue)
    filled = filled.clamp(max=size)
    log_weight = torch.log((size + rows - 1) / (filled + rows - 1).float())
    positive = torch.eye(rows, dtype=torch.bool, device=query.device)
    batch_logits = query @ key.T / temperature + torch.where(positive, 0.0, log_weight)
    queue_logits = query @ F.normalize(queue.float(), dim=1).T / temperature + log_weight
    empty = torch.arange(size, device=query.device) >= filled
    logits = torch.cat([batch_logits, queue_logits.masked_fill(empty, -torch.inf)], 1)
    return F.cross_entropy(logits, torch.arange(rows, device=query.device))
