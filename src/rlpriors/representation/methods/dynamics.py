"""Pixel dynamics: prediction of a later frame's pixels from actions (Chen et al., 2022, arXiv 2205.07886).

`dynamics`                deterministic prediction
`action_conditioned_vae`  prediction from a Gaussian code
"""

from functools import partial

from rlpriors.representation.losses.reconstruction import gaussian_kl, pixel_mse
from rlpriors.representation.methods.vae import PixelReconstruction, reconstruction_images
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["action_conditioned_vae", "dynamics"]

VIEWS = (View("context", frames=(0,), branch="online"), View("target", frames=(1,), branch="none"))


def dynamics(*, offset: int = 1, dim: int = 128, width: int = 32) -> Recipe:
    """Return the recipe of EIRLI's pixel dynamics.

    The frame `offset` steps later is decoded from this frame and the actions between the two.
    """
    return Recipe(
        name="dynamics",
        source="arXiv 2205.07886",
        views=VIEWS,
        projector=mlp(dim=dim),
        predictor=partial(PixelReconstruction, width=width, act=True),
        losses={"pixels": LossTerm(pixel_mse, ("decoded", "pixels.target"))},
        visualize=reconstruction_images,
        horizon=2,
        stride=offset,
        needs=("act",),
        min_batch_size=1,
    )


def action_conditioned_vae(*, offset: int = 1, dim: int = 128, beta: float = 1e-5, width: int = 32) -> Recipe:
    """Return the recipe of EIRLI's ActionConditionedTemporalVAE: `dynamics` with a Gaussian code."""
    return Recipe(
        name="action-conditioned-vae",
        source="arXiv 2205.07886",
        views=VIEWS,
        projector=mlp(dim=2 * dim),
        predictor=partial(PixelReconstruction, width=width, variational=True, act=True),
        losses={
            "pixels": LossTerm(pixel_mse, ("decoded", "pixels.target")),
            "kl": LossTerm(gaussian_kl, ("mean", "log_variance"), beta),
        },
        visualize=reconstruction_images,
        horizon=2,
        stride=offset,
        needs=("act",),
        min_batch_size=1,
    )
