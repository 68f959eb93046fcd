"""Objectives that `DiffusionIRL` learns a reward by.

Each objective compares demonstrations with samples of the prior, the prior's data or a second model.  The
objectives share no code with the training loop, which adds the penalties and the moving average.

`base`                base class, inputs and outputs of an objective
`contrastive`         difference of mean rewards between demonstrations and negatives, the default
`density_ratio`       classifier between demonstrations and negatives
`input_perturbation`  noise and mixed actions in the windows that the reward reads
`negatives`           windows that demonstrations are compared with
`relative`            difference between the prior and a model of the demonstrations, as a gradient
`sampler_backprop`    divergence of guided samples, differentiated through the sampler

`OBJECTIVES` maps the name of each objective to its class and settings class.
"""

from rlpriors.agents.irl.objectives.base import Objective, ObjectiveInput, ObjectiveOutput
from rlpriors.agents.irl.objectives.contrastive import Contrastive, ContrastiveSettings
from rlpriors.agents.irl.objectives.density_ratio import DensityRatio, DensityRatioSettings
from rlpriors.agents.irl.objectives.input_perturbation import InputPerturbation
from rlpriors.agents.irl.objectives.relative import Relative, RelativeSettings
from rlpriors.agents.irl.objectives.sampler_backprop import SamplerBackprop, SamplerBackpropSettings

__all__ = [
    "OBJECTIVES",
    "Contrastive",
    "ContrastiveSettings",
    "DensityRatio",
    "DensityRatioSettings",
    "InputPerturbation",
    "Objective",
    "ObjectiveInput",
    "ObjectiveOutput",
    "Relative",
    "RelativeSettings",
    "SamplerBackprop",
    "SamplerBackpropSettings",
    "find_objective",
]

OBJECTIVES: dict[str, tuple[type[Objective], type]] = {
    "contrastive": (Contrastive, ContrastiveSettings),
    "density_ratio": (DensityRatio, DensityRatioSettings),
    "relative": (Relative, RelativeSettings),
    "sampler_backprop": (SamplerBackprop, SamplerBackpropSettings),
}


def find_objective(objective: object) -> tuple[str, type[Objective], object]:
    """Return the name, class and settings of an objective given by name or by settings.

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
