"""Registry of all methods.

`Method`    function that learns, and the data that it receives
`METHODS`   methods by name
`MAIN`      names of the main table, in its order
`VARIANTS`  names of the table of variants, in its order
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.irl.experiment import Experiment, MethodResult
from benchmarks.irl.methods.baselines import (
    adversarial,
    airl,
    clone,
    clone_diffusion,
    drail,
    gail,
    iq_learn,
    sqil,
)
from benchmarks.irl.methods.hybrids import hybrid, hybrid_ratio
from benchmarks.irl.methods.reward_learning import (
    backprop,
    beyond_window,
    ensemble,
    fixed_reward,
    learned_reward,
    original_method,
    shaped,
)
from benchmarks.irl.methods.statistics import exact_max_ent, mean_difference, nearest_expert, support
from rlpriors.agents import DiffusionIRLSettings

__all__ = ["MAIN", "METHODS", "VARIANTS", "Method"]


@dataclass(frozen=True)
class Method:
    """Function that learns from an experiment, and the data that it receives apart from demonstrations."""

    learn: Callable[[Experiment], MethodResult]
    prior: bool = False
    """True if the method uses the data of the prior."""
    reference: str = ""
    """Further reference data: "random", "early" or none."""
    acts: bool = False
    """True if the method acts in the environment."""
    from_windows: bool = False
    """True if the reward is learned from windows, in which rewards after a termination are 0."""
    only: str | tuple[str, ...] = ""
    """Start of the names of the environments that the method is for, or several; all by default."""
    discrete: bool = True
    """True if the method runs on Discrete actions."""
    cost: float = 1.0
    """Rough cost, by which cells are ordered: 0 for statistics, 1 for learning, 2 for acting, 3 for hours."""


_UNWEIGHTED = DiffusionIRLSettings(temporal_variation_exponent=0.0)
_NOISY = DiffusionIRLSettings(temporal_variation_exponent=0.0, progress_weight=0.0, input_noise=0.3)
_GOALS = replace(_NOISY, input_noise=0.1)
_MAIN: dict[str, Method] = {
    "unguided": Method(fixed_reward(lambda experiment: None), prior=True, cost=0),
    "oracle": Method(fixed_reward(lambda experiment: experiment.environment.oracle()), prior=True, cost=0),
    "random": Method(
        fixed_reward(lambda experiment: experiment.reward().requires_grad_(False)), prior=True, cost=0
    ),
    "mean-difference": Method(mean_difference("random"), reference="random", cost=0),
    "nearest-expert": Method(nearest_expert, prior=True, cost=0),
    "support": Method(support, prior=True, cost=0),
    "max-ent": Method(exact_max_ent, only="gridworld", cost=0),
    "contrastive": Method(learned_reward(task_obs_only=True), prior=True),
    "contrastive-full-obs": Method(learned_reward(), prior=True),
    "contrastive-obs-act": Method(learned_reward(inputs=("obs", "act")), prior=True),
    "contrastive-guided": Method(learned_reward(reference="guided"), prior=True),
    "contrastive-data": Method(learned_reward(reference="prior_data"), prior=True),
    "contrastive-random": Method(learned_reward(reference="random"), prior=True, reference="random"),
    "contrastive-guided-random": Method(
        learned_reward(reference="guided+random"), prior=True, reference="random"
    ),
    "contrastive-early": Method(learned_reward(reference="early"), prior=True, reference="early"),
    "ratio-data": Method(learned_reward("density_ratio", reference="prior_data"), prior=True),
    "ratio-random": Method(
        learned_reward("density_ratio", reference="random"), prior=True, reference="random"
    ),
    "ratio-random-noise": Method(
        learned_reward("density_ratio", reference="random", settings=_NOISY, clip=True),
        prior=True,
        reference="random",
    ),
    "ratio-random-noise-obs-act": Method(
        learned_reward(
            "density_ratio", reference="random", settings=_NOISY, clip=True, inputs=("obs", "act")
        ),
        prior=True,
        reference="random",
    ),
    "ratio-other-goals": Method(
        learned_reward("density_ratio", reference="other_goals", settings=_GOALS),
        prior=True,
        only=("fetchreach", "babyai"),
    ),
    "ratio-early": Method(learned_reward("density_ratio", reference="early"), prior=True, reference="early"),
    "ratio-random-obs-act": Method(
        learned_reward("density_ratio", reference="random", inputs=("obs", "act")),
        prior=True,
        reference="random",
    ),
    "hybrid": Method(hybrid, prior=True, acts=True, cost=2),
    "hybrid-ratio": Method(hybrid_ratio, prior=True, acts=True, cost=2),
    "backprop-mmd-rbf": Method(backprop("mmd-rbf"), prior=True),
    "relative": Method(learned_reward("relative", task_obs_only=True), prior=True),
    "density-ratio": Method(learned_reward("density_ratio", task_obs_only=True), prior=True),
    "density-ratio+contrastive": Method(
        learned_reward("contrastive", task_obs_only=True, warm_start=(("density_ratio", 0.25),)), prior=True
    ),
    "original-recipe": Method(original_method(), prior=True),
    "original-recipe-all": Method(original_method(complete=True), prior=True, only="umaze", cost=3),
    "bc": Method(clone),
    "diffusion-bc": Method(clone_diffusion, discrete=False),
    "gail": Method(adversarial(gail), acts=True, cost=2),
    "airl": Method(adversarial(airl, lr=3e-3, temperature=1.0), acts=True, discrete=False, cost=2),
    "drail": Method(adversarial(drail, gradient_penalty=0.0), acts=True, cost=2),
    "sqil": Method(sqil, acts=True, cost=2),
    "iq-learn": Method(iq_learn, acts=True, cost=2),
}
# Other settings for rewards of the full observation or with actions, and other divergences.
_VARIANTS: dict[str, Method] = {
    name: Method(learn, prior=True)
    for name, learn in {
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
    }.items()
}
# Planning with a value beyond the window.
_VARIANTS |= {
    "full-obs-value": Method(beyond_window(learned_reward()), prior=True, only="long"),
    "oracle-value": Method(
        beyond_window(fixed_reward(lambda experiment: experiment.environment.oracle())),
        prior=True,
        only="long",
    ),
}

_LEARNED = ("contrastive", "ratio-", "relative", "density-ratio", "backprop", "hybrid", "full-obs", "obs-act")
METHODS = {
    name: replace(method, from_windows=name.startswith(_LEARNED))
    for name, method in {**_MAIN, **_VARIANTS}.items()
}
MAIN, VARIANTS = tuple(_MAIN), tuple(_VARIANTS)
