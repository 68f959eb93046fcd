"""Reward models: judges of transitions that are learned, saved and loaded; torch only.

base.py      `RewardModel`: the four inputs, `score` for numpy, `save`
networks.py  `MLPReward`: r(s), r(s, a), r(s, a, s') with the normaliser inside
shaping.py   `ShapedReward`: potential shaping over any reward model
discriminators.py  `GAILReward`, `AIRLReward`: what tells demonstrations from an agent's steps
drail.py     `DRAILReward`: the same by diffusion
registry.py  `load_reward` and the names of what can be loaded
losses.py    losses that learn a reward
"""

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.discriminators import AIRLReward, AIRLSettings, Discriminator, GAILReward, GAILSettings
from rlpriors.rewards.drail import DRAILReward, DRAILSettings
from rlpriors.rewards.divergences import DIVERGENCES, Divergence, DivergenceSettings
from rlpriors.rewards.networks import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.registry import REWARDS, load_reward, reward_class
from rlpriors.rewards.shaping import ShapedReward, ShapingSettings
from rlpriors.rewards.trajectory import TrajectoryValue, TrajectoryValueSettings

__all__ = [
    "REWARDS",
    "AIRLReward",
    "AIRLSettings",
    "DRAILReward",
    "DRAILSettings",
    "Discriminator",
    "GAILReward",
    "GAILSettings",
    "MLPReward",
    "RewardInput",
    "RewardModel",
    "RewardSettings",
    "ShapedReward",
    "ShapingSettings",
    "TrajectoryValue",
    "TrajectoryValueSettings",
    "load_reward",
    "reward_class",
]
