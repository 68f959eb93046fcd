"""Policies and algorithms for Tianshou 2.x.

The subpackages cover trajectory models, inverse reinforcement learning, imitation and online algorithms.
They know no environment: spaces, data, rewards and encoders are arguments.

`diffusion`          trajectory prior, planning policy, diffusion policy and their training
`exploration`        exploration by rewards that fall where the agent has been
`imitation`          behavior cloning, ACT-JEPA, adversarial imitation, SQIL and IQ-Learn
`irl`                reward learning with a diffusion prior, and its objectives
`offline`            implicit Q-learning, Tianshou's offline algorithms, and zero-shot agents
`online`             Tianshou's online algorithms, relabeling and encoders inside policies
`preferences`        rewards from comparisons and graded episodes
`self_prediction`    distributional DQN that predicts its own later features
`world_model`        learned dynamics, for the evaluation of policies
`lr_schedules`       learning-rate schedules for Tianshou's optimizer factories
`moving_average`     base class of algorithms with a moving average of the trained network
`offline_algorithm`  base class of algorithms that learn from trajectory windows
`policy_record`      sizes, spaces and encoder of a saved policy
`resumable`          training state of algorithms, and resumable wrapper algorithms
`seeding`            seed of an update
`validation`         checks of observations, data and arguments
"""

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.diffusion_cloning import DiffusionCloning
from rlpriors.agents.diffusion.diffusion_policy import DiffusionPolicy
from rlpriors.agents.diffusion.fast.distill import distill_planner
from rlpriors.agents.diffusion.fast.distillation import DistillationSettings, PlannerDistillation
from rlpriors.agents.diffusion.fast.fast_planner import FastPlannerPolicy, FastPlannerSettings
from rlpriors.agents.diffusion.fast.files import load_flow_policy, save_flow_policy
from rlpriors.agents.diffusion.fast.flow_cloning import FlowCloning
from rlpriors.agents.diffusion.fast.flow_policy import FlowPolicy, FlowSettings
from rlpriors.agents.diffusion.fast.plans import PlanBuffer, record_plans
from rlpriors.agents.diffusion.inverse_dynamics import (
    InverseDynamics,
    InverseDynamicsSettings,
    InverseDynamicsTraining,
)
from rlpriors.agents.diffusion.prior_files import load_prior, save_prior
from rlpriors.agents.diffusion.score.beso import BESO
from rlpriors.agents.diffusion.score.files import load_score_policy, save_score_policy
from rlpriors.agents.diffusion.score.policy import ScorePolicy
from rlpriors.agents.diffusion.score.settings import ScoreSettings
from rlpriors.agents.diffusion.synthetic.generate import synthesize
from rlpriors.agents.diffusion.synthetic.policy_guidance import PolicyGuidance, gaussian_target
from rlpriors.agents.diffusion.terminal_value import TerminalValue, TerminalValueSettings
from rlpriors.agents.diffusion.terminal_value_fit import fit_terminal_value
from rlpriors.agents.diffusion.trajectory_diffusion import TrajectoryDiffusion
from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.exploration.explore import Explore, ExploreOnPolicy
from rlpriors.agents.exploration.explore_settings import ExploreSettings
from rlpriors.agents.exploration.optimistic_policy import OptimisticQPolicy
from rlpriors.agents.imitation.act_jepa.files import load_act_jepa, save_act_jepa
from rlpriors.agents.imitation.act_jepa.policy import ActJEPAPolicy
from rlpriors.agents.imitation.act_jepa.settings import ActJEPASettings
from rlpriors.agents.imitation.act_jepa.training import ActJEPA
from rlpriors.agents.imitation.adversarial import AdversarialIRL, AdversarialIRLOnPolicy
from rlpriors.agents.imitation.behavior_cloning import BehaviorCloning, BehaviorCloningPolicy
from rlpriors.agents.imitation.discriminator_update import AdversarialSettings
from rlpriors.agents.imitation.iq_learn import IQLearn, OfflineIQLearn
from rlpriors.agents.imitation.iq_loss import IQLearnSettings
from rlpriors.agents.imitation.pixel_buffer import PixelBuffer
from rlpriors.agents.imitation.pixel_cloning import AuxiliaryTask, PixelCloning
from rlpriors.agents.imitation.pixel_policy import PixelCloningPolicy
from rlpriors.agents.imitation.sqil import SQIL
from rlpriors.agents.irl.diffusion_irl import DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.hybrid import HybridIRL, HybridIRLOnPolicy, HybridSettings
from rlpriors.agents.irl.objectives import (
    OBJECTIVES,
    ContrastiveSettings,
    DensityRatioSettings,
    RelativeSettings,
    SamplerBackpropSettings,
)
from rlpriors.agents.irl.original_recipe import OriginalRecipe, original_recipe
from rlpriors.agents.irl.other_goals import other_goals
from rlpriors.agents.irl.planning_value import add_terminal_value
from rlpriors.agents.irl.reference import Reference
from rlpriors.agents.irl.support import Support, check_support
from rlpriors.agents.lr_schedules import CosineSchedule
from rlpriors.agents.offline.factory import make_offline_algorithm
from rlpriors.agents.offline.iql import IQL
from rlpriors.agents.offline.settings import OfflineSettings
from rlpriors.agents.offline.zero_shot.agent import SuccessorFeatureAgent
from rlpriors.agents.offline.zero_shot.files import load_skills, save_skills
from rlpriors.agents.offline.zero_shot.policy import SuccessorFeaturePolicy
from rlpriors.agents.offline.zero_shot.samples import add_hindsight_goals
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings
from rlpriors.agents.online.encoder_network import EncoderNetwork
from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.policy_files import load_policy, save_policy
from rlpriors.agents.online.progress import ProgressOnPolicy
from rlpriors.agents.online.random_policy import RandomPolicy
from rlpriors.agents.online.relabel import Relabel, RelabelOnPolicy
from rlpriors.agents.online.settings import AlgorithmSettings
from rlpriors.agents.preferences.fit import learn_from_preferences, preference_reward
from rlpriors.agents.preferences.graded import GradedEpisodes, grade_pairs
from rlpriors.agents.preferences.preference_learning import PreferenceLearning
from rlpriors.agents.preferences.self_play import SelfPlay, SelfPlayOnPolicy
from rlpriors.agents.preferences.settings import PreferenceSettings
from rlpriors.agents.self_prediction.algorithm import SelfPredictiveC51
from rlpriors.agents.self_prediction.files import (
    load_pixel_policy,
    make_pixel_policy,
    save_pixel_policy,
)
from rlpriors.agents.self_prediction.network import PixelValueNetwork
from rlpriors.agents.self_prediction.settings import PixelValueSettings, SelfPredictionSettings
from rlpriors.agents.world_model.files import load_world_model, save_world_model
from rlpriors.agents.world_model.model import WorldModel
from rlpriors.agents.world_model.settings import WorldModelSettings
from rlpriors.agents.world_model.training import WorldModelTraining

__all__ = [
    "BESO",
    "IQL",
    "OBJECTIVES",
    "SQIL",
    "ActJEPA",
    "ActJEPAPolicy",
    "ActJEPASettings",
    "AdversarialIRL",
    "AdversarialIRLOnPolicy",
    "AdversarialSettings",
    "AlgorithmSettings",
    "AuxiliaryTask",
    "BehaviorCloning",
    "BehaviorCloningPolicy",
    "ContrastiveSettings",
    "CosineSchedule",
    "DensityRatioSettings",
    "DiffuserPolicy",
    "DiffusionCloning",
    "DiffusionIRL",
    "DiffusionIRLSettings",
    "DiffusionPolicy",
    "DistillationSettings",
    "EncoderNetwork",
    "Explore",
    "ExploreOnPolicy",
    "ExploreSettings",
    "FastPlannerPolicy",
    "FastPlannerSettings",
    "FlowCloning",
    "FlowPolicy",
    "FlowSettings",
    "GradedEpisodes",
    "HybridIRL",
    "HybridIRLOnPolicy",
    "HybridSettings",
    "IQLearn",
    "IQLearnSettings",
    "InverseDynamics",
    "InverseDynamicsSettings",
    "InverseDynamicsTraining",
    "OfflineIQLearn",
    "OfflineSettings",
    "OptimisticQPolicy",
    "OriginalRecipe",
    "PixelBuffer",
    "PixelCloning",
    "PixelCloningPolicy",
    "PixelValueNetwork",
    "PixelValueSettings",
    "PlanBuffer",
    "PlannerDistillation",
    "PolicyGuidance",
    "PreferenceLearning",
    "PreferenceSettings",
    "ProgressOnPolicy",
    "RandomPolicy",
    "Reference",
    "Relabel",
    "RelabelOnPolicy",
    "RelativeSettings",
    "SamplerBackpropSettings",
    "ScorePolicy",
    "ScoreSettings",
    "SelfPlay",
    "SelfPlayOnPolicy",
    "SelfPredictionSettings",
    "SelfPredictiveC51",
    "SuccessorFeatureAgent",
    "SuccessorFeaturePolicy",
    "Support",
    "TerminalValue",
    "TerminalValueSettings",
    "TrajectoryDiffusion",
    "TrajectoryLayout",
    "WorldModel",
    "WorldModelSettings",
    "WorldModelTraining",
    "ZeroShotSettings",
    "add_hindsight_goals",
    "add_terminal_value",
    "check_support",
    "distill_planner",
    "fit_terminal_value",
    "gaussian_target",
    "grade_pairs",
    "learn_from_preferences",
    "load_act_jepa",
    "load_flow_policy",
    "load_pixel_policy",
    "load_policy",
    "load_prior",
    "load_score_policy",
    "load_skills",
    "load_world_model",
    "make_algorithm",
    "make_offline_algorithm",
    "make_pixel_policy",
    "original_recipe",
    "other_goals",
    "preference_reward",
    "record_plans",
    "save_act_jepa",
    "save_flow_policy",
    "save_pixel_policy",
    "save_policy",
    "save_prior",
    "save_score_policy",
    "save_skills",
    "save_world_model",
    "synthesize",
]
