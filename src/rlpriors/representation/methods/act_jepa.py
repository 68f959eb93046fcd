"""ACT-JEPA: from one frame, the actions to come and what a moving average will see meanwhile."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.representation.losses.likelihood import surprise_discrete
from rlpriors.representation.modules.predictors import action_width
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.modules.transformers import Queries
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["act_jepa"]


class Foresee(nn.Module):
    """Learned questions to the first frame's vector and tokens: the latents of the frames to come, "ahead"
    [batch, horizon - 1, latent], beside what they should be, "later"; and how far off the actions are,
    "error" [batch].
    """

    def __init__(self, sizes: Sizes, width: int = 128, depth: int = 2) -> None:
        super().__init__()
        self.whole = nn.Linear(sizes.dim, width)
        self.parts = nn.Linear(sizes.tokens[1], width) if sizes.tokens else None
        self.places = nn.Parameter(0.02 * torch.randn(sizes.tokens[0], width)) if sizes.tokens else None
        gaps = sizes.horizon - 1
        self.frames, self.acts = Queries(width, depth, gaps), Queries(width, depth, gaps)
        self.to_latent = nn.Linear(width, sizes.latent)
        self.to_act = nn.Linear(width, action_width(sizes))
        self.steps = sizes.stride

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Predictions and targets."""
        whole, tokens, _ = encoded.features["now"]
        seen = self.whole(whole)[:, None]
        if self.parts is not None and tokens is not None:
            seen = torch.cat([seen, self.parts(tokens) + self.places], 1)
        acts = self.to_act(self.acts(seen))
        ahead = self.to_latent(self.frames(seen))
        return {
            "ahead": ahead,
            "later": encoded.y["window"].reshape_as(ahead),  # a window of one frame has lost its axis
            "error": self._error(acts, encoded),
        }

    def _error(self, acts: Tensor, encoded: Encoded) -> Tensor:
        if encoded.batch.act_index is not None:
            logits = acts.unflatten(2, (self.steps, -1)).flatten(1, 2)
            return surprise_discrete(logits, encoded.batch.act_index.flatten(1))
        assert encoded.batch.act is not None
        return (acts - encoded.batch.act).abs().mean((1, 2))


def act_jepa(
    *, steps: int = 8, stride: int = 1, augment: str = "none", decay: float = 0.996, weight: float = 1.0
) -> Recipe:
    """Vujinovic and Kovacevic 2025 (2501.14622): chunks of actions and of latents, in L1; for choices,
    their negative log-probability.

    Targets are each frame's own vector, without its mean and on its own scale; the paper's target encoder
    looks at all frames together.  `weight` is the one of latents.

    Raises:
        ValueError: `steps` is below 1.
    """
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1. Received {steps}.")

    def projector(sizes: Sizes) -> nn.Module:
        return Head(nn.LayerNorm(sizes.dim, elementwise_affine=False))

    return Recipe(
        name="act-jepa",
        source="arXiv 2501.14622",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("window", frames=tuple(range(1, steps + 1)), augment=augment, branch="target"),
        ),
        projector=projector,
        predictor=Foresee,
        branch=Branch("ema", decay=decay, final_decay=1.0),
        losses={
            "actions": Term(torch.mean, ("error",)),
            "latents": Term(F.l1_loss, ("ahead", "later"), weight),
        },
        horizon=steps + 1,
        stride=stride,
        needs=("act",),
        min_batch_size=1,
    )
