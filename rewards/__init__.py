"""Reward models of single transitions.

Covers scoring, saving, loading and combining rewards that are learned from demonstrations.  The package
depends on no environment, RL algorithm or wrapper.

base              `RewardModel`: the contract, scores for numpy data, saving, arithmetic
mlp               `MLPReward`: r(s), r(s, a) or r(s, a, s') with the normalizer inside
shaping           `ShapedReward`: potential-based shaping over any reward model
sum               `SumReward`: weighted sums such as `reach + 2 * stay`
ensemble          `EnsembleReward`: mean minus k standard deviations of several rewards
pixels            `PixelReward`: r(s) of images by a convolutional network
normalized        `NormalizedReward`, `standardized`: rewards in units of their standard deviation
clipped           `ClippedReward`: a reward that reads observations within the range of its data
components        descriptions of the rewards that a combined reward consists of
trajectory_value  `TrajectoryValue`: a value of whole windows, for comparison only
discriminators    `Discriminator`, `GAILReward`, `AIRLReward`: adversarial imitation rewards
records           records of a reward's inputs, and its model card
baselines         rewards without adversarial or contrastive training
drail             `DRAILReward`: the diffusion discriminator
exploration       rewards that fall where the agent has been
preferences       losses of comparisons and grades
progress          progress of failed episodes toward the successes of their batch
registry          `load_reward` and the classes it can load
losses            losses that train a reward
divergences       distances between generated and demonstrated samples
validation        checks of inputs and settings
"""

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.baselines.mean_difference import MeanDifferenceReward, MeanDifferenceSettings
from rlpriors.rewards.baselines.nearest_expert import NearestExpertReward, NearestExpertSettings
from rlpriors.rewards.baselines.segment_matching import SegmentMatching
from rlpriors.rewards.baselines.support import SupportReward, SupportSettings
from rlpriors.rewards.clipped import ClippedReward, ClippedSettings, observed_range
from rlpriors.rewards.discriminators import AIRLReward, AIRLSettings, Discriminator, GAILReward, GAILSettings
from rlpriors.rewards.divergences import DIVERGENCES, Divergence, DivergenceSettings
from rlpriors.rewards.drail import DRAILReward, DRAILSettings
from rlpriors.rewards.ensemble import EnsembleReward, EnsembleSettings
from rlpriors.rewards.exploration.disagreement import DisagreementReward, DisagreementSettings
from rlpriors.rewards.exploration.elliptical import EllipticalBonus, EllipticalSettings
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.normalized import NormalizedReward, NormalizedSettings, standardized
from rlpriors.rewards.pixels import PixelReward, PixelRewardSettings
from rlpriors.rewards.progress.embeddings import embed_episodes, store_episode_rewards
from rlpriors.rewards.progress.episode_progress import ProgressSettings, episode_progress
from rlpriors.rewards.registry import REWARDS, load_reward, reward_class
from rlpriors.rewards.shaping import ShapedReward, ShapingSettings
from rlpriors.rewards.sum import SumReward, SumSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

__all__ = [
    "DIVERGENCES",
    "REWARDS",
    "AIRLReward",
    "AIRLSettings",
    "ClippedReward",
    "ClippedSettings",
    "DRAILReward",
    "DRAILSettings",
    "DisagreementReward",
    "DisagreementSettings",
    "Discriminator",
    "Divergence",
    "DivergenceSettings",
    "EllipticalBonus",
    "EllipticalSettings",
    "EnsembleReward",
    "EnsembleSettings",
    "GAILReward",
    "GAILSettings",
    "MLPReward",
    "MeanDifferenceReward",
    "MeanDifferenceSettings",
    "NearestExpertReward",
    "NearestExpertSettings",
    "NormalizedReward",
    "NormalizedSettings",
    "PixelReward",
    "PixelRewardSettings",
    "ProgressSettings",
    "RewardInput",
    "RewardModel",
    "RewardSettings",
    "SegmentMatching",
    "ShapedReward",
    "ShapingSettings",
    "SumReward",
    "SumSettings",
    "SupportReward",
    "SupportSettings",
    "TrajectoryValue",
    "TrajectoryValueSettings",
    "embed_episodes",
    "episode_progress",
    "load_reward",
    "observed_range",
    "reward_class",
    "standardized",
    "store_episode_rewards",
]
