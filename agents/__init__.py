"""Policies and algorithms for Tianshou 2.x.

`frames`                how observation and action lie side by side in a normalized window
`windows`               what the offline algorithms here share: window sampling, seeding, resuming
`diffuser`              `DiffuserPolicy`: plans with a trajectory diffusion model, acts in any Collector
`inverse_dynamics`      `InverseDynamics`: the action between two states, for plans of states
`trajectory_diffusion`  `TrajectoryDiffusion`: learns the prior, what trajectories are possible
`support`               whether the prior covers the demonstrations, asked before a reward is learned
`diffusion_irl`         `DiffusionIRL`: learns the reward, what the demonstrations want
`objectives`            what it may be learned by
`original_recipe`           the original recipe as it was, as a preset to compare with
`behavior_cloning`     `BehaviorCloning`: a baseline that only imitates, one action at a time
`diffusion_policy`      `DiffusionPolicy`: draws chunks of actions for the current observation
`diffusion_cloning`     `DiffusionCloning`: learns them, a baseline that only imitates
`relabel`               `Relabel`: any off- or on-policy algorithm on a reward, also one that still moves
`adversarial`           `AdversarialIRL`: GAIL, AIRL and DRAIL beside any algorithm; its core is `adversary`
`sqil`                  `SQIL`: demonstrations are worth 1, the agent's own steps 0
`wrapping`              what algorithms around another one need: loading, resuming
`encoder_network`       `EncoderNetwork`: an encoder as a `preprocess_net`, frozen or learning with the policy
`pixel_buffer`          `PixelBuffer`: demonstrations as frames on disk, drawn in stacks
`pixel_policy`          `PixelCloningPolicy`: from the last few frames to an action
`pixel_cloning`         `PixelCloning`: learns it, with augmentation, and jointly with a representation
`learners`              SAC, TD3, PPO and DQN of Tianshou, built by one call
`schedules`             learning-rate schedules for Tianshou's optimizer factories
"""

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.diffusion_cloning import DiffusionCloning
from rlpriors.agents.diffusion.diffusion_policy import DiffusionPolicy
from rlpriors.agents.diffusion.inverse_dynamics import (
    InverseDynamics,
    InverseDynamicsSettings,
    InverseDynamicsTraining,
)
from rlpriors.agents.diffusion.trajectory_diffusion import TrajectoryDiffusion
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.imitation.adversarial import AdversarialIRL, AdversarialIRLOnPolicy
from rlpriors.agents.imitation.behavior_cloning import BehaviorCloning, BehaviorCloningPolicy
from rlpriors.agents.imitation.discriminator_update import AdversarialSettings
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_cloning import Auxiliary, PixelCloning
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy
from rlpriors.agents.imitation.sqil import SQIL
from rlpriors.agents.irl.diffusion_irl import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import (
    OBJECTIVES,
    ChainSettings,
    ContrastiveSettings,
    RatioSettings,
    RelativeSettings,
)
from rlpriors.agents.irl.original_recipe import OriginalRecipe, original_recipe
from rlpriors.agents.irl.support import Support, check_support
from rlpriors.agents.lr_schedules import CosineSchedule
from rlpriors.agents.online.encoder_network import EncoderNetwork
from rlpriors.agents.online.factory import AlgorithmSettings, load_policy, make_algorithm, save_policy
from rlpriors.agents.online.relabel import Relabel, RelabelOnPolicy

__all__ = [
    "OBJECTIVES",
    "SQIL",
    "AdversarialIRL",
    "AdversarialIRLOnPolicy",
    "AdversarialSettings",
    "AlgorithmSettings",
    "Auxiliary",
    "BehaviorCloning",
    "BehaviorCloningPolicy",
    "ChainSettings",
    "ContrastiveSettings",
    "CosineSchedule",
    "DiffuserPolicy",
    "DiffusionCloning",
    "DiffusionIRL",
    "DiffusionIRLSettings",
    "DiffusionPolicy",
    "EncoderNetwork",
    "InverseDynamics",
    "InverseDynamicsSettings",
    "InverseDynamicsTraining",
    "OriginalRecipe",
    "PixelBuffer",
    "PixelCloning",
    "PixelCloningPolicy",
    "RatioSettings",
    "Relabel",
    "RelabelOnPolicy",
    "RelativeSettings",
    "Support",
    "TrajectoryDiffusion",
    "TrajectoryLayout",
    "check_support",
    "load_policy",
    "make_algorithm",
    "original_recipe",
    "save_policy",
]
