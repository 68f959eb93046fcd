"""Losses of probabilities.

`log_normal`         log-density of a normal
`surprise_discrete`, `surprise_continuous`   how unlikely the actions were, by what was predicted
`bottleneck`         keep of one vector what tells its partner, and no more (CEB)
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["bottleneck", "log_normal", "surprise_continuous", "surprise_discrete"]


def log_normal(
    x: Float[Tensor, "*batch dim"], mean: Float[Tensor, "*#batch dim"], log_std: Float[Tensor, "*#batch dim"]
) -> Float[Tensor, "*batch"]:
    """Log-density of independent normals, in nats, summed over the last axis."""
    deviation = (x.float() - mean.float()) * torch.exp(-log_std.float())
    return (-0.5 * (deviation.square() + math.log(2 * math.pi)) - log_std.float()).sum(-1)


def surprise_discrete(
    logits: Float[Tensor, "batch steps choices"], act_index: Int[Tensor, "batch steps"]
) -> Float[Tensor, " batch"]:
    """Negative log-probability of the choices taken, averaged over steps."""
    return F.cross_entropy(logits.float().mT, act_index, reduction="none").mean(1)


def surprise_continuous(
    mean: Float[Tensor, "batch act"], log_std: Float[Tensor, " act"], act: Float[Tensor, "batch act"]
) -> Float[Tensor, " batch"]:
    """Negative log-density of the actions taken, averaged over their numbers."""
    return -log_normal(act, mean, log_std.expand_as(mean)) / act.shape[1]


def bottleneck(
    sample: Float[Tensor, "batch dim"],
    mean: Float[Tensor, "batch dim"],
    log_std: Float[Tensor, "batch dim"],
    partner_mean: Float[Tensor, "batch dim"],
    partner_log_std: Float[Tensor, "batch dim"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    """Conditional entropy bottleneck with a contrastive decoder (2002.05379, sec. 2, CatGen).

    `sample` is drawn from the normal that the encoder makes of x; `partner_*` is the one that the backward
    encoder makes of y.  `beta` times what the sample tells of x beside y, less the log-probability of
    y among the batch's.
    """
    among = log_normal(
        sample[:, None].expand(-1, len(sample), -1), partner_mean[None], partner_log_std[None]
    )  # (batch of samples, batch of partners)
    residual = log_normal(sample, mean, log_std) - among.diagonal()
    found = F.cross_entropy(among, torch.arange(len(sample), device=sample.device))
    return beta * residual.mean() + found
