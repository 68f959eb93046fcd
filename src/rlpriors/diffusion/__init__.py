"""Trajectory diffusion: noise schedules, the forward process, samplers, guidance and planning.

Nothing here owns weights or knows the meaning of a window's entries: a `Denoiser` and a value function
come as arguments.

`schedule`                 noise levels: cosine, linear, EDM, rectified flow
`edm`                      preconditioning, loss and samplers of continuous noise levels
`process`                  q(x_t | x_0), prediction targets, denoising loss and residual
`conditions`               known entries of a window: start state, goal, history
`guidance`                 gradient steps toward a higher value, in clean or in noisy space
`solvers`                  update rules between noise levels: DDIM, DDPM, Euler, Heun, DPM-Solver++
`samplers`                 one denoising step, and whole sampling runs
`differentiable_sampling`  sampling that is differentiable in the value's parameters
`classifier_free`          guidance by a context instead of a value
`planner`                  candidates in one batch, the best one kept
`flow`                     flow matching: velocities, and mean velocities for one step
"""

from rlpriors.diffusion.classifier_free import ContextDenoiser, with_context
from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.differentiable_sampling import differentiable_sample
from rlpriors.diffusion.edm import EDM
from rlpriors.diffusion.flow import euler_sample, flow_loss, jump_sample
from rlpriors.diffusion.guidance import GuidanceSettings, value_gradient
from rlpriors.diffusion.planner import Plan, Planner, PlannerSettings
from rlpriors.diffusion.process import DiffusionProcess, denoising_loss, denoising_residual
from rlpriors.diffusion.samplers import SAMPLERS, Sampling, denoising_step, sample
from rlpriors.diffusion.schedule import NoiseSchedule

__all__ = [
    "EDM",
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
    "differentiable_sample",
    "euler_sample",
    "flow_loss",
    "jump_sample",
    "sample",
    "value_gradient",
    "with_context",
]
