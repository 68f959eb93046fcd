"""Autoencoders: reconstruction of pixels from a code (Kingma and Welling, 2013, arXiv 1312.6114).

`ae`   deterministic autoencoder (Hinton and Salakhutdinov, 2006, doi 10.1126/science.1127647)
`vae`  variational autoencoder
"""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.reconstruction import gaussian_kl, pixel_mse
from rlpriors.representation.modules.decoders import PixelDecoder
from rlpriors.representation.modules.predictors import action_chunk_dim
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["ae", "vae"]


class PixelReconstruction(nn.Module):
    """Pixels decoded from the projection of "context": "decoded".

    With `variational` the projection is the "mean" and "log_variance" of a Gaussian, from which the code is
    drawn; in evaluation mode the code is the mean.  With `act` the actions of the clip are a further input
    of the decoder.
    """

    def __init__(
        self, sizes: Sizes, *, width: int = 32, variational: bool = False, act: bool = False
    ) -> None:
        super().__init__()
        latent = sizes.latent // 2 if variational else sizes.latent
        self.variational = variational
        self.act = MLP((action_chunk_dim(sizes), 64, 64)) if act else None
        self.decoder = PixelDecoder(latent + (64 if act else 0), sizes.pixels, width)

    def forward(self, encoded: EncodedBatch) -> Mapping[str, Tensor]:
        """Return decoded images [batch, channels, rows, columns], and the Gaussian with `variational`."""
        z, outputs = encoded.z["context"], {}
        if self.variational:
            mean, log_variance = z.float().chunk(2, 1)
            outputs = {"mean": mean, "log_variance": log_variance}
            z = mean
            if self.training:
                z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        if self.act is not None:
            assert encoded.batch.act is not None
            z = torch.cat([z, self.act(encoded.batch.act.flatten(1))], 1)
        return {**outputs, "decoded": self.decoder(z)}


def reconstruction_images(encoded: EncodedBatch, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the decoded images as "reconstruction"."""
    return {"reconstruction": outputs["decoded"]}


def ae(*, dim: int = 128, width: int = 32, augment: str = "none") -> Recipe:
    """Return the recipe of an autoencoder with a code of `dim` entries; `width` is the decoder's."""
    return Recipe(
        name="ae",
        source="doi 10.1126/science.1127647",
        views=(View("context", augment=augment, branch="online"),),
        projector=mlp(dim=dim),
        predictor=partial(PixelReconstruction, width=width),
        losses={"pixels": LossTerm(pixel_mse, ("decoded", "pixels.context"))},
        visualize=reconstruction_images,
        min_batch_size=1,
    )


def vae(*, dim: int = 128, beta: float = 1e-5, width: int = 32, augment: str = "none") -> Recipe:
    """Return the recipe of a variational autoencoder, with a weight of the KL divergence as in beta-VAE.

    `beta` is the weight of one nat relative to the mean squared error of a pixel in [0, 1].  It is the
    common weight for errors summed over pixels, divided by the number of pixels.  EIRLI found that 1e-3
    learns nothing.
    """
    return Recipe(
        name="vae",
        source="arXiv 1312.6114",
        views=(View("context", augment=augment, branch="online"),),
        projector=mlp(dim=2 * dim),
        predictor=partial(PixelReconstruction, width=width, variational=True),
        losses={
            "pixels": LossTerm(pixel_mse, ("decoded", "pixels.context")),
            "kl": LossTerm(gaussian_kl, ("mean", "log_variance"), beta),
        },
        visualize=reconstruction_images,
        min_batch_size=1,
    )
