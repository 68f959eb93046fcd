"""CEB: conditional entropy bottleneck of two frames (Fischer and Alemi, 2020, arXiv 2002.05379).

`ceb`                                  learned standard deviations of both frames
`fixed_variance_ceb`                   standard deviations of 1
`fixed_variance_target_projected_ceb`  standard deviations of 1, and a linear map of the later frame's mean
"""

from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.likelihood import ceb_loss
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["ceb", "fixed_variance_ceb", "fixed_variance_target_projected_ceb"]


class GaussianHead(nn.Module):
    """Normal distributions of both frames, "<view>.mean" and "<view>.log_std", and a "sample" of the first.

    With `learned`, half of the projection is the logarithm of the standard deviation, which is clamped
    between exp(-5) and exp(2); otherwise the standard deviation is 1.
    """

    def __init__(self, sizes: Sizes, learned: bool = True, project_target: bool = False) -> None:
        super().__init__()
        self.learned = learned
        self.target = nn.Linear(sizes.latent, sizes.latent) if project_target else nn.Identity()

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return tensors [batch, latent], or [batch, latent / 2] with `learned`."""
        outputs: dict[str, Tensor] = {}
        for name, z in (("now", encoded.z["now"]), ("later", self.target(encoded.z["later"]))):
            mean, log_std = z.chunk(2, 1) if self.learned else (z, torch.zeros_like(z))
            outputs |= {f"{name}.mean": mean, f"{name}.log_std": log_std.clamp(-5, 2)}
        noise = torch.randn_like(outputs["now.mean"])
        return outputs | {"sample": outputs["now.mean"] + noise * outputs["now.log_std"].exp()}


def ceb(*, offset: int = 1, augment: str = "none", beta: float = 0.1, dim: int = 64) -> Recipe:
    """Return the recipe of CEB on frames `offset` steps apart, as in EIRLI."""
    return _recipe("ceb", offset, augment, beta, 2 * dim, partial(GaussianHead, learned=True))


def fixed_variance_ceb(*, offset: int = 1, augment: str = "none", beta: float = 0.1, dim: int = 64) -> Recipe:
    """Return the recipe of CEB with standard deviations of 1."""
    return _recipe("fixed-variance-ceb", offset, augment, beta, dim, partial(GaussianHead, learned=False))


def fixed_variance_target_projected_ceb(
    *, offset: int = 1, augment: str = "none", beta: float = 0.1, dim: int = 64
) -> Recipe:
    """Return the recipe of CEB with standard deviations of 1 and a linear map of the later frame's mean."""
    predictor = partial(GaussianHead, learned=False, project_target=True)
    return _recipe("fixed-variance-target-projected-ceb", offset, augment, beta, dim, predictor)


def _recipe(
    name: str, offset: int, augment: str, beta: float, width: int, predictor: partial[GaussianHead]
) -> Recipe:
    return Recipe(
        name=name,
        source="arXiv 2002.05379",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=mlp(256, dim=width),
        predictor=predictor,
        losses={
            "ceb": LossTerm(
                partial(ceb_loss, beta=beta),
                ("sample", "now.mean", "now.log_std", "later.mean", "later.log_std"),
            )
        },
        horizon=2,
        stride=offset,
        batch_size=128,
    )
