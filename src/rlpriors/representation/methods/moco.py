"""MoCo v2: find what a slowly moving copy makes of another view, among what it made of earlier frames."""

from functools import partial

from rlpriors.representation.losses.contrastive import queue_nce
from rlpriors.representation.modules.memory_banks import queue
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["moco"]


def moco(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    size: int = 4096,
    temperature: float = 0.2,
    decay: float = 0.99,
    dim: int = 128,
) -> Recipe:
    """He et al. 2019 (1911.05722) with the projector and temperature of Chen et al. 2020 (2003.04297).

    The queue of `size` keys starts empty (choose it well below the number of frames, of which it may hold the
    query's own from an earlier update); until it is full its keys count for more, and the batch's
    other keys are negatives too.  Keys need no shuffling where nothing is batch-normalized: neither the
    projector is, nor a network of `rlpriors` itself; the statistics of a ResNet would give keys away.
    """
    return Recipe(
        name="moco",
        source="arXiv 2003.04297",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="target"),
        ),
        projector=mlp(512, dim=dim, norm=False),
        memory=queue("y.target", size),
        branch=Branch("ema", decay=decay),
        losses={
            "queue_nce": Term(
                partial(queue_nce, temperature=temperature), ("z.context", "y.target", "queue", "filled")
            )
        },
        batch_size=128,
    )
