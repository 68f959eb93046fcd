"""Trajectory diffusion: noise schedules, the forward process, samplers, guidance and planning.

`schedule`         how much noise each diffusion time carries (cosine, linear, EDM, rectified flow)
`process`          q(x_t | x_0), what the network predicts, the denoising loss and residual
`conditions`       entries of a window that are known: start state, goal, history
`guidance`         pushing samples towards a higher value, in clean or in noisy space
`solvers`          the rules from one noise level to the next: DDIM, DDPM, DPM-Solver++, Heun
`samplers`         one denoising step, and all of them in a row
`chain`            the same, differentiable in the parameters of what guides it
`classifier_free`  following a context more closely than the data did
`planner`          many candidates in one batch, the best one kept

Nothing here owns weights or knows what a window's entries mean: a `Denoiser` and a value function
come as arguments.
"""

from rlpriors.diffusion.chain import guided_chain
from rlpriors.diffusion.classifier_free import ContextDenoiser, with_context
from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import GuidanceSettings, value_gradient
from rlpriors.diffusion.planner import Plan, Planner, PlannerSettings
from rlpriors.diffusion.process import DiffusionProcess, denoising_loss, denoising_residual
from rlpriors.diffusion.samplers import SAMPLERS, Sampling, denoising_step, sample
from rlpriors.diffusion.schedule import NoiseSchedule

__all__ = [
    "SAMPLERS",
    "Condition",
    "ContextDenoiser",
    "DiffusionProcess",
    "GuidanceSettings",
    "NoiseSchedule",
    "Plan",
    "Planner",
    "PlannerSettings",
    "Sampling",
    "denoising_loss",
    "denoising_residual",
    "denoising_step",
    "guided_chain",
    "sample",
    "value_gradient",
    "with_context",
]
