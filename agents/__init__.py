"""Policies and algorithms for Tianshou 2.x.

`frames`                how observation and action lie side by side in a normalised window
`windows`               what the offline algorithms here share: window sampling, seeding, resuming
`diffuser`              `DiffuserPolicy`: plans with a trajectory diffusion model, acts in any Collector
`trajectory_diffusion`  `TrajectoryDiffusion`: learns the prior, what trajectories are possible
`support`               whether the prior covers the demonstrations, asked before a reward is learned
`diffusion_irl`         `DiffusionIRL`: learns the reward, what the demonstrations want
`encoder_network`       `EncoderNetwork`: an encoder as a `preprocess_net`, frozen or learning with the policy
`schedules`             learning-rate schedules for Tianshou's optimizer factories
"""

from rlpriors.agents.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion_irl import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.encoder_network import EncoderNetwork
from rlpriors.agents.frames import Frames
from rlpriors.agents.schedules import CosineSchedule
from rlpriors.agents.support import Support, check_support
from rlpriors.agents.trajectory_diffusion import TrajectoryDiffusion

__all__ = [
    "CosineSchedule",
    "DiffuserPolicy",
    "DiffusionIRL",
    "DiffusionIRLSettings",
    "EncoderNetwork",
    "Frames",
    "Support",
    "TrajectoryDiffusion",
    "check_support",
]
