"""Losses that tell the right partner from others.

`dot_nce`      among the other rows of a batch, by dot products (CPC, ST-DIM, CURL, ATC)
`queue_nce`    among those and what a queue remembers (MoCo)
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["dot_nce", "queue_nce"]


def dot_nce(
    query: Float[Tensor, "batch *places dim"],
    key: Float[Tensor, "batch *places dim"],
    same: Bool[Tensor, "batch batch"] | None = None,
) -> Float[Tensor, ""]:
    """Each query must find its key among the other rows' keys of the same place (1807.03748, eq. 4).

    Logits are dot products of vectors as they are, so that a linear map in front of the query makes the
    log-bilinear model of CPC; places are times or cells of a map, and are averaged.  Rows that are `same`
    have the same right answer, and are not each other's negatives.
    """
    places = (query.flatten(1, -2), key.flatten(1, -2)) if query.ndim > 2 else (query[:, None], key[:, None])
    logits = torch.einsum("ipd,jpd->pij", places[0].float(), places[1].float())
    rows = len(query)
    if same is not None:
        others = ~torch.eye(rows, dtype=torch.bool, device=query.device)
        logits = logits.masked_fill(same & others, -torch.inf)
    partner = torch.arange(rows, device=query.device).expand(len(logits), rows)
    return F.cross_entropy(logits.flatten(0, 1), partner.flatten())


def queue_nce(
    query: Float[Tensor, "batch dim"],
    key: Float[Tensor, "batch dim"],
    queue: Float[Tensor, "size dim"],
    filled: Int[Tensor, ""],
    temperature: float = 0.1,
) -> Float[Tensor, ""]:
    """Each query must find its key among the other rows' keys and the first `filled` of the queue, by the
    angles between them (1911.05722, eq. 1).

    While the queue fills, each negative counts for several, as if it were full: so the loss means the
    same from the first update on, and noise need not fill in.
    """
    query, key = F.normalize(query.float(), dim=1), F.normalize(key.float(), dim=1)
    rows, size = len(query), len(queue)
    filled = filled.clamp(max=size)
    share = torch.log((size + rows - 1) / (filled + rows - 1).float())
    positive = torch.eye(rows, dtype=torch.bool, device=query.device)
    batch = query @ key.T / temperature + torch.where(positive, 0.0, share)
    stored = query @ F.normalize(queue.float(), dim=1).T / temperature + share
    empty = torch.arange(size, device=query.device) >= filled
    logits = torch.cat([batch, stored.masked_fill(empty, -torch.inf)], 1)
    return F.cross_entropy(logits, torch.arange(rows, device=query.device))
