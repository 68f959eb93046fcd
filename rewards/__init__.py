"""Reward models: judges of transitions that are learned, saved and loaded; torch only.

base.py            `RewardModel`: the four inputs, `score` for numpy, `save`
networks.py        `MLPReward`: r(s), r(s, a), r(s, a, s') with the normalizer inside
shaping.py         `ShapedReward`: potential shaping over any reward model
compose.py         `SumReward`: `reach + 2 * stay`
ensemble.py        `EnsembleReward`: mean - k standard deviations of several
running.py         `NormalizedReward`: divided by its running standard deviation
parts.py           how these three remember what they are made of
trajectory.py      `TrajectoryValue`: a value of whole windows, for comparison; no reward
discriminators.py  `GAILReward`, `AIRLReward`: what tells demonstrations from an agent's steps
drail.py           `DRAILReward`: the same by diffusion
registry.py        `load_reward` and the names of what can be loaded
losses.py          losses that learn a reward
divergences.py     `Divergence`: how far generated points are from demonstrated ones
two_samples.py     the functions behind it: MMD, energy distance, Sinkhorn
"""

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.discriminators import AIRLReward, AIRLSettings, Discriminator, GAILReward, GAILSettings
from rlpriors.rewards.divergences import DIVERGENCES, Divergence, DivergenceSettings
from rlpriors.rewards.drail import DRAILReward, DRAILSettings
from rlpriors.rewards.ensemble import EnsembleReward, EnsembleSettings
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.normalized import NormalizedReward, NormalizedSettings
from rlpriors.rewards.registry import REWARDS, load_reward, reward_class
from rlpriors.rewards.shaping import ShapedReward, ShapingSettings
from rlpriors.rewards.sum import SumReward, SumSettings
from rlpriors.rewards.trajectory_value import TrajectoryValue, TrajectoryValueSettings

__all__ = [
    "DIVERGENCES",
    "REWARDS",
    "AIRLReward",
    "AIRLSettings",
    "DRAILReward",
    "DRAILSettings",
    "Discriminator",
    "Divergence",
    "DivergenceSettings",
    "EnsembleReward",
    "EnsembleSettings",
    "GAILReward",
    "GAILSettings",
    "MLPReward",
    "NormalizedReward",
    "NormalizedSettings",
    "RewardInput",
    "RewardModel",
    "RewardSettings",
    "ShapedReward",
    "ShapingSettings",
    "SumReward",
    "SumSettings",
    "TrajectoryValue",
    "TrajectoryValueSettings",
    "load_reward",
    "reward_class",
]
