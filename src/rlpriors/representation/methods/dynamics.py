"""Dynamics in pixels: the frame that actions lead to."""

from functools import partial

from rlpriors.representation.losses.reconstruction import divergence, pixel_error
from rlpriors.representation.methods.vae import DecodePixels, show_decoded
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["action_conditioned_vae", "dynamics"]

VIEWS = (View("context", frames=(0,), branch="online"), View("target", frames=(1,), branch="none"))


def dynamics(*, offset: int = 1, dim: int = 128, width: int = 32) -> Recipe:
    """Paint the frame `offset` steps on from this one and the actions between (EIRLI, 2205.07886)."""
    return Recipe(
        name="dynamics",
        source="arXiv 2205.07886",
        views=VIEWS,
        projector=mlp(dim=dim),
        predictor=partial(DecodePixels, width=width, act=True),
        losses={"pixels": Term(pixel_error, ("decoded", "pixels.target"))},
        pictures=show_decoded,
        horizon=2,
        stride=offset,
        needs=("act",),
        min_batch_size=1,
    )


def action_conditioned_vae(*, offset: int = 1, dim: int = 128, beta: float = 1e-5, width: int = 32) -> Recipe:
    """The same through a Gaussian code, as EIRLI's ActionConditionedTemporalVAE (2205.07886)."""
    return Recipe(
        name="action-conditioned-vae",
        source="arXiv 2205.07886",
        views=VIEWS,
        projector=mlp(dim=2 * dim),
        predictor=partial(DecodePixels, width=width, variational=True, act=True),
        losses={
            "pixels": Term(pixel_error, ("decoded", "pixels.target")),
            "divergence": Term(divergence, ("mean", "log_variance"), beta),
        },
        pictures=show_decoded,
        horizon=2,
        stride=offset,
        needs=("act",),
        min_batch_size=1,
    )
