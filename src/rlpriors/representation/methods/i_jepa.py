"""I-JEPA: what a slowly moving copy sees in some blocks of an image, predicted from the rest of it."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.vit import take_tokens
from rlpriors.representation.losses.reconstruction import smooth_error
from rlpriors.representation.methods.mae import grid_and_patch
from rlpriors.representation.modules.decoders import TokenDecoder
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.masks import BlockMask
from rlpriors.representation.transforms.views import View

__all__ = ["i_jepa"]


class PredictBlocks(nn.Module):
    """Predicts the target's tokens in each block by itself: "predicted", beside what they are, "expected"."""

    def __init__(self, sizes: Sizes, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        grid, _ = grid_and_patch(sizes)
        assert sizes.tokens is not None
        self.decoder = TokenDecoder(sizes.dim, sizes.tokens[1], grid, width=width, depth=depth)

    def forward(self, encoded: Encoded) -> Mapping[str, Tensor]:
        """Tokens [batch, blocks * tokens, width], each target with mean 0 and deviation 1."""
        seen, whole = encoded.features["context"], encoded.target_features["context"]
        kept, targets = encoded.extra["context.kept"], encoded.extra["context.targets"]
        assert seen.tokens is not None
        assert whole.tokens is not None
        blocks = targets.shape[1]
        shown = (seen.global_, seen.tokens, kept)
        predicted = self.decoder(
            *(part.repeat_interleave(blocks, 0) for part in shown), targets.flatten(0, 1)
        )
        expected = F.layer_norm(whole.tokens, whole.tokens.shape[-1:])
        return {
            "predicted": predicted.unflatten(0, (-1, blocks)).flatten(1, 2),
            "expected": take_tokens(expected, targets.flatten(1)),
        }


def i_jepa(
    *, blocks: int = 4, width: int = 64, depth: int = 2, decay: float = 0.996, augment: str = "crop"
) -> Recipe:
    """Assran et al. 2023 (2301.08243); `width` and `depth` are the predictor's.

    The encoder's vector for the whole image is shown to the predictor beside its tokens, so that the
    class token learns too.
    """
    return Recipe(
        name="i-jepa",
        source="arXiv 2301.08243",
        views=(View("context", augment=augment, mask=BlockMask(blocks=blocks)),),
        projector=take_global,
        predictor=partial(PredictBlocks, width=width, depth=depth),
        branch=Branch("ema", decay=decay, final_decay=1.0),
        losses={"blocks": Term(smooth_error, ("predicted", "expected"))},
        needs=("tokens", "masks"),
        batch_size=256,
        min_batch_size=1,
        lr=6e-4,
        weight_decay=0.05,
    )
