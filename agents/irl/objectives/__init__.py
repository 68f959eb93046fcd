"""What `DiffusionIRL` may learn a reward by; each in a file of its own.

`base`         `Objective`: what one is, what it sees of an update, what it gives back
`chain`        the original recipe, repaired: a divergence, differentiated through the guided sampler
`contrastive`  demonstrations against guided samples: the maximum-entropy gradient, the default
`ratio`        demonstrations against the prior's data, by a classifier: no sampling
`reading`      what the reward reads of windows while it learns: noise, actions without a meaning
`relative`     the difference between the prior and a model of the demonstrations, as a gradient

`OBJECTIVES` holds each by its name, with the settings it takes.
"""

from rlpriors.agents.irl.objectives.base import Contrast, Objective, Update
from rlpriors.agents.irl.objectives.contrastive import Contrastive, ContrastiveSettings
from rlpriors.agents.irl.objectives.density_ratio import Ratio, RatioSettings
from rlpriors.agents.irl.objectives.input_perturbation import Reading
from rlpriors.agents.irl.objectives.relative import Relative, RelativeSettings
from rlpriors.agents.irl.objectives.sampler_backprop import Chain, ChainSettings

__all__ = [
    "OBJECTIVES",
    "Chain",
    "ChainSettings",
    "Contrast",
    "Contrastive",
    "ContrastiveSettings",
    "Objective",
    "Ratio",
    "RatioSettings",
    "Reading",
    "Relative",
    "RelativeSettings",
    "Update",
    "find_objective",
]

OBJECTIVES: dict[str, tuple[type[Objective], type]] = {
    "chain": (Chain, ChainSettings),
    "contrastive": (Contrastive, ContrastiveSettings),
    "ratio": (Ratio, RatioSettings),
    "relative": (Relative, RelativeSettings),
}


def find_objective(objective: object) -> tuple[str, type[Objective], object]:
    """The name, class and settings that a name, or settings, stand for.

    Raises:
        ValueError: there is no such objective.
    """
    for name, (kind, settings) in OBJECTIVES.items():
        if objective == name:
            return name, kind, settings()
        if type(objective) is settings:
            return name, kind, objective
    raise ValueError(
        f"`objective` must be one of {sorted(OBJECTIVES)}, or settings of one. Received {objective!r}."
    )
