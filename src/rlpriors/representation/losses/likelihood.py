"""Losses from likelihoods.

`gaussian_log_prob`  log-density of independent normal distributions
`categorical_nll`    negative log-likelihood of discrete actions
`gaussian_nll`       negative log-likelihood of continuous actions
`ceb_loss`           conditional entropy bottleneck with a contrastive decoder
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["categorical_nll", "ceb_loss", "gaussian_log_prob", "gaussian_nll"]


def gaussian_log_prob(
    x: Float[Tensor, "*batch dim"], mean: Float[Tensor, "*#batch dim"], log_std: Float[Tensor, "*#batch dim"]
) -> Float[Tensor, "*batch"]:
    """Return the log-density of independent normals, in nats, summed over the last axis."""
    deviation = (x.float() - mean.float()) * torch.exp(-log_std.float())
    return (-0.5 * (deviation.square() + math.log(2 * math.pi)) - log_std.float()).sum(-1)


def categorical_nll(
    logits: Float[Tensor, "batch steps choices"], act_index: Int[Tensor, "batch steps"]
) -> Float[Tensor, " batch"]:
    """Return the negative log-probability of discrete actions, averaged over steps."""
    return F.cross_entropy(logits.float().mT, act_index, reduction="none").mean(1)


def gaussian_nll(
    mean: Float[Tensor, "batch act"], log_std: Float[Tensor, " act"], act: Float[Tensor, "batch act"]
) -> Float[Tensor, " batch"]:
    """Return the negative log-density of continuous actions, averaged over entries."""
    return -gaussian_log_prob(act, mean, log_std.expand_as(mean)) / act.shape[1]


def ceb_loss(
    sample: Float[Tensor, "batch dim"],
    mean: Float[Tensor, "batch dim"],
    log_std: Float[Tensor, "batch dim"],
    partner_mean: Float[Tensor, "batch dim"],
    partner_log_std: Float[Tensor, "batch dim"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    """Return the conditional entropy bottleneck with a contrastive decoder (2002.05379, sec. 2, CatGen).

    `sample` is drawn from the encoder's normal distribution given x, with `mean` and `log_std`;
    `partner_mean` and `partner_log_std` are of the backward encoder given y.  The loss is `beta` times the
    residual information of the sample about x given y, minus the log-probability of y among the rows of
    the batch.
    """
    log_probs = gaussian_log_prob(
        sample[:, None].expand(-1, len(sample), -1), partner_mean[None], partner_log_std[None]
    )  # (batch of samples, batch of partners)
    residual = gaussian_log_prob(sample, mean, log_std) - log_probs.diagonal()
    decoder_nll = F.cross_entropy(log_probs, torch.arange(len(sample), device=sample.device))
    return beta * residual.mean() + decoder_nll
