"""Losses that compare with pixels, and what variational methods add.

`pixel_error`     squared error of reconstructed pixels (autoencoders, pixel dynamics)
`patch_error`     the same of patches, each brought to mean 0 and deviation 1 (masked autoencoders)
`patch_scale`     the mean and deviation that this takes
`smooth_error`    of predicted features from those of a target (I-JEPA)
`divergence`      of a Gaussian from the standard one (variational autoencoders)
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["divergence", "patch_error", "patch_scale", "pixel_error", "smooth_error"]


def pixel_error(
    prediction: Float[Tensor, "*batch channels rows columns"],
    target: Float[Tensor, "*batch channels rows columns"],
) -> Float[Tensor, ""]:
    """Mean squared error of all pixels."""
    return F.mse_loss(prediction.float(), target.float())


def patch_scale(
    patches: Float[Tensor, "*batch n"], eps: float = 1e-4
) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
    """Mean of each patch, and its deviation as root of variance + `eps`.

    With `eps` of 1e-4 a flat patch of an Atari backdrop stays flat: pixels in [0, 1] of 8 bits would
    become noise of deviation 1 without it, and most of the loss.
    """
    patches = patches.float()
    return patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True, correction=0) + eps).sqrt()


def patch_error(
    prediction: Float[Tensor, "batch hidden n"],
    target: Float[Tensor, "batch hidden n"],
    normalize: bool = True,
    eps: float = 1e-4,
) -> Float[Tensor, ""]:
    """Mean squared error of patches; `normalize` brings each target to mean 0 and deviation 1
    (2111.06377, sec. 3, "reconstruction target").
    """
    target = target.float()
    if normalize:
        mean, deviation = patch_scale(target, eps)
        target = (target - mean) / deviation
    return F.mse_loss(prediction.float(), target)


def smooth_error(
    prediction: Float[Tensor, "*batch n"], target: Float[Tensor, "*batch n"]
) -> Float[Tensor, ""]:
    """Half the square of small differences, large ones less a half (smooth L1), mean over all."""
    return F.smooth_l1_loss(prediction.float(), target.float())


def divergence(
    mean: Float[Tensor, "batch latent"], log_variance: Float[Tensor, "batch latent"]
) -> Float[Tensor, ""]:
    """KL divergence from the standard Gaussian in nats, mean over the batch (1312.6114, app. B)."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
