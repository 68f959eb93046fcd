"""Registry of all methods: every objective and every baseline, on the same prior and demonstrations.

`METHODS`   methods by name; each maps an `Experiment` to a `MethodResult`
`MAIN`      names of the main table, in its order
`VARIANTS`  names of the table of variants, in its order
"""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.irl.baselines import adversarial, airl, clone, clone_diffusion, drail, gail, sqil
from benchmarks.irl.experiment import Experiment, MethodResult
from benchmarks.irl.reward_learning import (
    backprop,
    ensemble,
    fixed_reward,
    learned_reward,
    original_method,
    shaped,
)
from rlpriors.agents import DiffusionIRLSettings

__all__ = ["MAIN", "METHODS", "VARIANTS"]

_UNWEIGHTED = DiffusionIRLSettings(temporal_variation_exponent=0.0)
_MAIN: dict[str, Callable[[Experiment], MethodResult]] = {
    "unguided": fixed_reward(lambda experiment: None),
    "oracle": fixed_reward(lambda experiment: experiment.environment.oracle()),
    "random": fixed_reward(lambda experiment: experiment.reward().requires_grad_(False)),
    "contrastive": learned_reward(task_obs_only=True),
    "contrastive-full-obs": learned_reward(),
    "contrastive-obs-act": learned_reward(inputs=("obs", "act")),
    "backprop-mmd-rbf": backprop("mmd-rbf"),
    "relative": learned_reward("relative", task_obs_only=True),
    "density-ratio": learned_reward("density_ratio", task_obs_only=True),
    "density-ratio+contrastive": learned_reward(
        "contrastive", task_obs_only=True, warm_start=(("density_ratio", 0.25),)
    ),
    "original-recipe": original_method,
    "bc": clone,
    "diffusion-bc": clone_diffusion,
    "gail": adversarial(gail),
    "airl": adversarial(airl, lr=3e-3),
    "drail": adversarial(drail),
    "sqil": sqil,
}
# Other settings for rewards of the full observation or with actions, and other divergences.
_VARIANTS: dict[str, Callable[[Experiment], MethodResult]] = {
    "full-obs-unweighted": learned_reward(settings=_UNWEIGHTED),
    "full-obs-slowness": learned_reward(settings=replace(_UNWEIGHTED, slowness_penalty=10.0)),
    "full-obs-next": learned_reward(settings=_UNWEIGHTED, inputs=("obs_next",)),
    "full-obs-shaped": learned_reward(settings=_UNWEIGHTED, make=shaped),
    "full-obs-ensemble": learned_reward(settings=_UNWEIGHTED, make=ensemble),
    "full-obs-spectral": learned_reward(settings=_UNWEIGHTED, spectral_norm=True),
    "full-obs-noise": learned_reward(settings=replace(_UNWEIGHTED, input_noise=0.3)),
    "obs-act-unweighted": learned_reward(settings=_UNWEIGHTED, inputs=("obs", "act")),
    "obs-act-marginal": learned_reward(
        settings=replace(_UNWEIGHTED, marginal_actions=True), inputs=("obs", "act")
    ),
    "relative-full-obs": learned_reward("relative"),
    "density-ratio-full-obs": learned_reward("density_ratio"),
    "backprop-mse": backprop("mse"),
    "backprop-mmd-matern": backprop("mmd-matern"),
    "backprop-energy": backprop("energy"),
    "backprop-sinkhorn": backprop("sinkhorn"),
}

METHODS = {**_MAIN, **_VARIANTS}
MAIN, VARIANTS = tuple(_MAIN), tuple(_VARIANTS)
