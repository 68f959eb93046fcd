"""What `DiffusionIRL` may learn a reward by; each in a file of its own.

`base`         `Objective`: what one is, what it sees of an update, what it gives back
`contrastive`  demonstrations against guided samples: the maximum-entropy gradient, the default

`OBJECTIVES` holds each by its name, with the settings it takes.
"""

from rlpriors.agents.objectives.base import Contrast, Objective, Update
from rlpriors.agents.objectives.contrastive import Contrastive, ContrastiveSettings

__all__ = [
    "OBJECTIVES",
    "Contrast",
    "Contrastive",
    "ContrastiveSettings",
    "Objective",
    "Update",
    "find_objective",
]

OBJECTIVES: dict[str, tuple[type[Objective], type]] = {
    "contrastive": (Contrastive, ContrastiveSettings),
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
