"""I-JEPA: prediction of target tokens in masked blocks (Assran et al., 2023, arXiv 2301.08243)."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.vit import gather_tokens
from rlpriors.representation.losses.reconstruction import smooth_l1_loss
from rlpriors.representation.methods.mae import grid_and_patch_size
from rlpriors.representation.modules.decoders import TokenDecoder
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.masks import BlockMask
from rlpriors.representation.transforms.views import View

__all__ = ["i_jepa"]


class BlockPredictor(nn.Module):
    """Predictor of the target network's tokens, for each block separately: "predicted" and "expected"."""

    def __init__(self, sizes: Sizes, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        grid, _ = grid_and_patch_size(sizes)
        assert sizes.tokens is not None
        self.decoder = TokenDecoder(sizes.dim, sizes.tokens[1], grid, width=width, depth=depth)

    def forward(self, encoded: EncodedBatch) -> Mapping[str, Tensor]:
        """Return tokens [batch, blocks * tokens, width]; each target has mean 0 and standard deviation 1."""
        context, full = encoded.features["context"], encoded.target_features["context"]
        visible, targets = encoded.extra["context.visible"], encoded.extra["context.targets"]
        assert context.tokens is not None
        assert full.tokens is not None
        n_blocks = targets.shape[1]
        inputs = (context.global_, context.tokens, visible)
        predicted = self.decoder(
            *(part.repeat_interleave(n_blocks, 0) for part in inputs), targets.flatten(0, 1)
        )
        expected = F.layer_norm(full.tokens, full.tokens.shape[-1:])
        return {
            "predicted": predicted.unflatten(0, (-1, n_blocks)).flatten(1, 2),
            "expected": gather_tokens(expected, targets.flatten(1)),
        }


def i_jepa(
    *, n_blocks: int = 4, width: int = 64, depth: int = 2, decay: float = 0.996, augment: str = "crop"
) -> Recipe:
    """Return the recipe of I-JEPA; `width` and `depth` are the predictor's.

    The encoder's vector of the whole image is a further input of the predictor, so that the class token is
    trained too.
    """
    return Recipe(
        name="i-jepa",
        source="arXiv 2301.08243",
        views=(View("context", augment=augment, mask=BlockMask(n_blocks=n_blocks)),),
        projector=identity_projector,
        predictor=partial(BlockPredictor, width=width, depth=depth),
        target=TargetNetworkSettings("ema", decay=decay, final_decay=1.0),
        losses={"blocks": LossTerm(smooth_l1_loss, ("predicted", "expected"))},
        needs=("tokens", "masks"),
        batch_size=256,
        min_batch_size=1,
        lr=6e-4,
        weight_decay=0.05,
    )
