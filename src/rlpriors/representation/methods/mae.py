"""MAE: reconstruction of masked patches from visible patches (He et al., 2021, arXiv 2111.06377)."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.networks.vit import gather_tokens, patchify, unpatchify
from rlpriors.representation.losses.reconstruction import patch_mse, patch_statistics
from rlpriors.representation.modules.decoders import TokenDecoder
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.masks import RandomMask
from rlpriors.representation.transforms.views import View

__all__ = ["grid_and_patch_size", "mae"]

HEAD_WIDTH = 32
"""Width of one attention head of the decoder."""
SMALL_ENCODER = 128
"""Largest width of an encoder whose decoder has one layer by default."""


class PatchDecoder(nn.Module):
    """Decoder of the masked patches of "context": "reconstructed", and the true patches "masked"."""

    def __init__(self, sizes: Sizes, width: int | None = None, depth: int | None = None) -> None:
        super().__init__()
        width = max(HEAD_WIDTH, sizes.dim // (2 * HEAD_WIDTH) * HEAD_WIDTH) if width is None else width
        depth = 1 + (sizes.dim > SMALL_ENCODER) if depth is None else depth
        self.grid, self.patch_size = grid_and_patch_size(sizes)
        patch_dim = self.patch_size**2 * sizes.pixels[0]
        self.decoder = TokenDecoder(sizes.dim, patch_dim, self.grid, width=width, depth=depth)

    def forward(self, encoded: EncodedBatch) -> Mapping[str, Tensor]:
        """Return patches [batch, masked, patch_dim], in the order of the mask."""
        features = encoded.features["context"]
        visible, masked = encoded.extra["context.visible"], encoded.extra["context.masked"]
        assert features.tokens is not None
        reconstructed = self.decoder(features.global_, features.tokens, visible, masked)
        patches = patchify(encoded.pixels["context"], self.patch_size)
        return {"reconstructed": reconstructed, "masked": gather_tokens(patches, masked)}


def grid_and_patch_size(sizes: Sizes) -> tuple[tuple[int, int], int]:
    """Return the rows and columns of tokens, and the side of a patch in pixels.

    Raises:
        ValueError: the encoder has no square patches.
    """
    if sizes.maps is None:
        raise ValueError("`encoder` must have its tokens on a grid. Received an encoder without maps.")
    (_, rows, columns), (_, height, width) = sizes.maps, sizes.pixels
    patch_size = height // rows
    if (rows * patch_size, columns * patch_size) != (height, width):
        raise ValueError(
            f"`encoder` must have square patches. Received {rows} x {columns} tokens of {height} x {width} "
            "pixels."
        )
    return (rows, columns), patch_size


def masked_reconstruction_images(
    encoded: EncodedBatch, outputs: Mapping[str, Tensor], *, normalize: bool, eps: float
) -> dict[str, Tensor]:
    """Return the image as "original", with gray masked patches, and with reconstructed patches."""
    image, masked = encoded.pixels["context"], encoded.extra["context.masked"]
    true_patches, reconstructed = outputs["masked"].float(), outputs["reconstructed"].float()
    patch_size = round((true_patches.shape[-1] / image.shape[1]) ** 0.5)
    grid = (image.shape[2] // patch_size, image.shape[3] // patch_size)
    if normalize:
        mean, std = patch_statistics(true_patches, eps)
        reconstructed = reconstructed * std + mean
    patches, index = patchify(image, patch_size), masked[:, :, None].expand_as(true_patches)
    gray = torch.full_like(true_patches, 0.5)
    return {
        "original": image,
        "masked": unpatchify(patches.scatter(1, index, gray), patch_size, grid),
        "reconstruction": unpatchify(patches.scatter(1, index, reconstructed), patch_size, grid),
    }


def mae(
    *,
    mask_ratio: float = 0.75,
    width: int | None = None,
    depth: int | None = None,
    normalize: bool = True,
    eps: float = 1e-4,
    augment: str = "crop",
) -> Recipe:
    """Return the recipe of masked autoencoders, with a fraction `mask_ratio` of masked patches.

    `width` and `depth` are the decoder's.  The default width is half of the encoder's; the default depth is
    one layer for encoders of width 128 or less (vit-nano), and two for larger ones (vit-micro, vit-tiny).
    There are no random flips, as left and right differ in most environments.  `normalize` scales each
    target patch to mean 0 and standard deviation 1, where `eps` (of pixels in [0, 1]) keeps flat patches
    flat.
    """
    return Recipe(
        name="mae",
        source="arXiv 2111.06377",
        views=(View("context", augment=augment, branch="online", mask=RandomMask(mask_ratio)),),
        projector=identity_projector,
        predictor=partial(PatchDecoder, width=width, depth=depth),
        losses={
            "patches": LossTerm(partial(patch_mse, normalize=normalize, eps=eps), ("reconstructed", "masked"))
        },
        visualize=partial(masked_reconstruction_images, normalize=normalize, eps=eps),
        needs=("tokens", "masks"),
        min_batch_size=1,
        batch_size=256,
        lr=6e-4,
        weight_decay=0.05,
    )
