"""MAE: paint what was hidden of an image, from a few of its patches."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.networks.vit import patches, take_tokens, unpatch
from rlpriors.representation.losses.reconstruction import patch_error, patch_scale
from rlpriors.representation.modules.decoders import TokenDecoder
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.masks import RandomMask
from rlpriors.representation.transforms.views import View

__all__ = ["grid_and_patch", "mae"]

HEAD = 32
"""Numbers of one head of the decoder."""
SMALL = 128
"""Up to this width of the encoder one layer decodes."""


class PaintPatches(nn.Module):
    """Decodes the hidden patches of "context": "painted", beside what they were, "hidden"."""

    def __init__(self, sizes: Sizes, width: int | None = None, depth: int | None = None) -> None:
        super().__init__()
        width = max(HEAD, sizes.dim // (2 * HEAD) * HEAD) if width is None else width
        depth = 1 + (sizes.dim > SMALL) if depth is None else depth
        self.grid, self.patch = grid_and_patch(sizes)
        count = self.patch**2 * sizes.pixels[0]
        self.decoder = TokenDecoder(sizes.dim, count, self.grid, width=width, depth=depth)

    def forward(self, encoded: Encoded) -> Mapping[str, Tensor]:
        """Patches [batch, hidden, numbers], in the order of the mask."""
        features = encoded.features["context"]
        kept, hidden = encoded.extra["context.kept"], encoded.extra["context.hidden"]
        assert features.tokens is not None
        painted = self.decoder(features.global_, features.tokens, kept, hidden)
        whole = patches(encoded.pixels["context"], self.patch)
        return {"painted": painted, "hidden": take_tokens(whole, hidden)}


def grid_and_patch(sizes: Sizes) -> tuple[tuple[int, int], int]:
    """Rows and columns of tokens, and pixels of a patch's side.

    Raises:
        ValueError: the encoder has no square patches.
    """
    if sizes.maps is None:
        raise ValueError("The encoder must have its tokens on a grid. Received one without maps.")
    (_, rows, columns), (_, height, width) = sizes.maps, sizes.pixels
    patch = height // rows
    if (rows * patch, columns * patch) != (height, width):
        raise ValueError(
            f"The encoder must cut images into square patches. Received {rows} x {columns} tokens of "
            f"{height} x {width} pixels."
        )
    return (rows, columns), patch


def show_painted(
    encoded: Encoded, outputs: Mapping[str, Tensor], *, normalize: bool, eps: float
) -> dict[str, Tensor]:
    """The image, what was seen of it, and that with the rest painted in."""
    image, hidden = encoded.pixels["context"], encoded.extra["context.hidden"]
    found, painted = outputs["hidden"].float(), outputs["painted"].float()
    patch = round((found.shape[-1] / image.shape[1]) ** 0.5)
    grid = (image.shape[2] // patch, image.shape[3] // patch)
    if normalize:
        mean, deviation = patch_scale(found, eps)
        painted = painted * deviation + mean
    rows, place = patches(image, patch), hidden[:, :, None].expand_as(found)
    return {
        "original": image,
        "masked": unpatch(rows.scatter(1, place, torch.full_like(found, 0.5)), patch, grid),
        "reconstruction": unpatch(rows.scatter(1, place, painted), patch, grid),
    }


def mae(
    *,
    ratio: float = 0.75,
    width: int | None = None,
    depth: int | None = None,
    normalize: bool = True,
    eps: float = 1e-4,
    augment: str = "crop",
) -> Recipe:
    """He et al. 2021 (2111.06377); `ratio` of patches is hidden.

    `width` and `depth` are the decoder's: by default half of the encoder's width, and one layer for one of
    128 numbers or fewer (vit-nano), two for larger ones (vit-micro, vit-tiny).
    No flips, as left and right mean something in most worlds.  `normalize` brings each target patch to
    mean 0 and deviation 1, where `eps` (of pixels in [0, 1]) keeps flat patches flat.
    """
    return Recipe(
        name="mae",
        source="arXiv 2111.06377",
        views=(View("context", augment=augment, branch="online", mask=RandomMask(ratio)),),
        projector=take_global,
        predictor=partial(PaintPatches, width=width, depth=depth),
        losses={"patches": Term(partial(patch_error, normalize=normalize, eps=eps), ("painted", "hidden"))},
        pictures=partial(show_painted, normalize=normalize, eps=eps),
        needs=("tokens", "masks"),
        min_batch_size=1,
        batch_size=256,
        lr=6e-4,
        weight_decay=0.05,
    )
