"""Autoencoders: an image through a few numbers and back to its pixels."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.reconstruction import divergence, pixel_error
from rlpriors.representation.modules.decoders import PixelDecoder
from rlpriors.representation.modules.predictors import action_width
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["ae", "vae"]


class DecodePixels(nn.Module):
    """Pixels from the projection of "context": "decoded".

    With `variational` the projection is "mean" and "log_variance" of a Gaussian, from which is drawn;
    outside of training its mean is taken.  With `act` the actions of the window stand beside it.
    """

    def __init__(
        self, sizes: Sizes, *, width: int = 32, variational: bool = False, act: bool = False
    ) -> None:
        super().__init__()
        latent = sizes.latent // 2 if variational else sizes.latent
        self.variational = variational
        self.act = MLP((action_width(sizes), 64, 64)) if act else None
        self.decoder = PixelDecoder(latent + (64 if act else 0), sizes.pixels, width)

    def forward(self, encoded: Encoded) -> Mapping[str, Tensor]:
        """[batch, channels, rows, columns]."""
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


def show_decoded(encoded: Encoded, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The pixels that were decoded."""
    return {"reconstruction": outputs["decoded"]}


def ae(*, dim: int = 128, width: int = 32, augment: str = "none") -> Recipe:
    """An autoencoder; the encoder's vector goes through `dim` numbers, and `width` is the decoder's."""
    return Recipe(
        name="ae",
        source="doi 10.1126/science.1127647",
        views=(View("context", augment=augment, branch="online"),),
        projector=mlp(dim=dim),
        predictor=partial(DecodePixels, width=width),
        losses={"pixels": Term(pixel_error, ("decoded", "pixels.context"))},
        pictures=show_decoded,
        min_batch_size=1,
    )


def vae(*, dim: int = 128, beta: float = 1e-5, width: int = 32, augment: str = "none") -> Recipe:
    """Kingma and Welling 2013 (1312.6114), with a weight of the divergence as in beta-VAE.

    `beta` is the weight of a nat against the mean squared error of a pixel in [0, 1]; what is usual for
    sums over pixels, divided by their number.  EIRLI found that 1e-3 learns nothing.
    """
    return Recipe(
        name="vae",
        source="arXiv 1312.6114",
        views=(View("context", augment=augment, branch="online"),),
        projector=mlp(dim=2 * dim),
        predictor=partial(DecodePixels, width=width, variational=True),
        losses={
            "pixels": Term(pixel_error, ("decoded", "pixels.context")),
            "divergence": Term(divergence, ("mean", "log_variance"), beta),
        },
        pictures=show_decoded,
        min_batch_size=1,
    )
