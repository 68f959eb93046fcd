"""MoCo v2: contrastive learning with a queue of momentum keys (Chen et al., 2020, arXiv 2003.04297)."""

from functools import partial

from rlpriors.representation.losses.contrastive import queue_info_nce
from rlpriors.representation.modules.memory_banks import key_queue
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["moco"]


def moco(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    queue_size: int = 4096,
    temperature: float = 0.2,
    decay: float = 0.99,
    dim: int = 128,
) -> Recipe:
    """Return the recipe of MoCo (He et al. 2019, 1911.05722) with the projector and temperature of v2.

    The queue of `queue_size` keys starts empty.  Choose `queue_size` well below the number of frames: the
    queue may hold a key of the query's own frame from an earlier update.  Until the queue is full, its keys
    have a larger weight, and the batch's other keys are negatives too.  Keys are not shuffled, as neither
    the projector nor the networks of `rlpriors` use batch normalization; the batch statistics of a ResNet
    would leak the key's identity.
    """
    return Recipe(
        name="moco",
        source="arXiv 2003.04297",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="target"),
        ),
        projector=mlp(512, dim=dim, norm=False),
        memory=key_queue("y.target", queue_size),
        target=TargetNetworkSettings("ema", decay=decay),
        losses={
            "queue_info_nce": LossTerm(
                partial(queue_info_nce, temperature=temperature),
                ("z.context", "y.target", "queue", "filled"),
            )
        },
        batch_size=128,
    )
