"""ACT-JEPA: joint prediction of actions and latents (Vujinovic and Kovacevic, 2025, arXiv 2501.14622)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.representation.losses.likelihood import categorical_nll
from rlpriors.representation.modules.predictors import action_chunk_dim
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.modules.transformers import QueryDecoder
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["act_jepa"]


class ActionLatentPredictor(nn.Module):
    """Future latents and actions from the first frame's vector and tokens, by learned queries.

    Outputs are "prediction" [batch, horizon - 1, latent], its target "future", and "action_error" [batch].
    """

    def __init__(self, sizes: Sizes, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.vector = nn.Linear(sizes.dim, width)
        self.tokens = nn.Linear(sizes.tokens[1], width) if sizes.tokens else None
        self.positions = nn.Parameter(0.02 * torch.randn(sizes.tokens[0], width)) if sizes.tokens else None
        gaps = sizes.horizon - 1
        self.latent_decoder = QueryDecoder(width, depth, gaps)
        self.action_decoder = QueryDecoder(width, depth, gaps)
        self.to_latent = nn.Linear(width, sizes.latent)
        self.to_act = nn.Linear(width, action_chunk_dim(sizes))
        self.stride = sizes.stride

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return predictions, targets and errors."""
        vector, tokens, _ = encoded.features["now"]
        context = self.vector(vector)[:, None]
        if self.tokens is not None and tokens is not None:
            context = torch.cat([context, self.tokens(tokens) + self.positions], 1)
        act = self.to_act(self.action_decoder(context))
        prediction = self.to_latent(self.latent_decoder(context))
        return {
            "prediction": prediction,
            "future": encoded.y["clip"].reshape_as(prediction),  # a clip of one frame has no time axis
            "action_error": self._action_error(act, encoded),
        }

    def _action_error(self, act: Tensor, encoded: EncodedBatch) -> Tensor:
        if encoded.batch.act_index is not None:
            logits = act.unflatten(2, (self.stride, -1)).flatten(1, 2)
            return categorical_nll(logits, encoded.batch.act_index.flatten(1))
        assert encoded.batch.act is not None
        return (act - encoded.batch.act).abs().mean((1, 2))


def act_jepa(
    *,
    n_steps: int = 8,
    stride: int = 1,
    augment: str = "none",
    decay: float = 0.996,
    latent_weight: float = 1.0,
) -> Recipe:
    """Return the recipe of ACT-JEPA: L1 errors of `n_steps` actions and latents.

    For discrete actions the error is the negative log-probability.  Targets are each frame's own vector,
    normalized to mean 0 and standard deviation 1; the paper's target encoder encodes all frames together.
    `latent_weight` is the weight of the error of latents.

    Raises:
        ValueError: `n_steps` is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1. Received {n_steps}.")

    def projector(sizes: Sizes) -> nn.Module:
        return Head(nn.LayerNorm(sizes.dim, elementwise_affine=False))

    return Recipe(
        name="act-jepa",
        source="arXiv 2501.14622",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("clip", frames=tuple(range(1, n_steps + 1)), augment=augment, branch="target"),
        ),
        projector=projector,
        predictor=ActionLatentPredictor,
        target=TargetNetworkSettings("ema", decay=decay, final_decay=1.0),
        losses={
            "actions": LossTerm(torch.mean, ("action_error",)),
            "latents": LossTerm(F.l1_loss, ("prediction", "future"), latent_weight),
        },
        horizon=n_steps + 1,
        stride=stride,
        needs=("act",),
        min_batch_size=1,
    )
