"""Reconstruction losses, and the KL divergence of variational autoencoders.

`pixel_mse`         squared error of reconstructed pixels (autoencoders, pixel dynamics)
`patch_mse`         squared error of patches, by default normalized per patch (masked autoencoders)
`patch_statistics`  mean and standard deviation of patches
`smooth_l1_loss`    smooth L1 distance of predicted latents to target latents (I-JEPA)
`gaussian_kl`       KL divergence of a Gaussian from the standard Gaussian (variational autoencoders)
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["gaussian_kl", "patch_mse", "patch_statistics", "pixel_mse", "smooth_l1_loss"]


def pixel_mse(
    prediction: Float[Tensor, "*batch channels rows columns"],
    target: Float[Tensor, "*batch channels rows columns"],
) -> Float[Tensor, ""]:
    """Return the mean squared error of all pixels."""
    return F.mse_loss(prediction.float(), target.float())


def patch_statistics(
    patches: Float[Tensor, "*batch n"], eps: float = 1e-4
) -> tuple[Float[Tensor, "*batch 1"], Float[Tensor, "*batch 1"]]:
    """Return the mean of each patch, and its standard deviation as the root of variance + `eps`.

    With `eps` of 1e-4 a flat patch of an Atari background stays flat.  Without it, 8-bit noise of pixels
    in [0, 1] would be scaled to standard deviation 1 and dominate the loss.
    """
    patches = patches.float()
    return patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True, correction=0) + eps).sqrt()


def patch_mse(
    prediction: Float[Tensor, "batch masked n"],
    target: Float[Tensor, "batch masked n"],
    normalize: bool = True,
    eps: float = 1e-4,
) -> Float[Tensor, ""]:
    """Return the mean squared error of patches (2111.06377, sec. 3, "reconstruction target").

    With `normalize`, each target patch is scaled to mean 0 and standard deviation 1.
    """
    target = target.float()
    if normalize:
        mean, std = patch_statistics(target, eps)
        target = (target - mean) / std
    return F.mse_loss(prediction.float(), target)


def smooth_l1_loss(
    prediction: Float[Tensor, "*batch n"], target: Float[Tensor, "*batch n"]
) -> Float[Tensor, ""]:
    """Return the mean smooth L1 distance: d^2 / 2 for differences d below 1, else d - 1/2."""
    return F.smooth_l1_loss(prediction.float(), target.float())


def gaussian_kl(
    mean: Float[Tensor, "batch latent"], log_variance: Float[Tensor, "batch latent"]
) -> Float[Tensor, ""]:
    """Return the KL divergence from the standard Gaussian in nats, averaged over the batch.

    See 1312.6114, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
