"""Reward models: judges of transitions that are learned, saved and loaded; torch only.

base.py      `RewardModel`: the four inputs, `score` for numpy, `save`
networks.py  `MLPReward`: r(s), r(s, a), r(s, a, s') with the normaliser inside
shaping.py   `ShapedReward`: potential shaping over any reward model
registry.py  `load_reward` and the names of what can be loaded
losses.py    losses that learn a reward
"""

from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.networks import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.registry import REWARDS, load_reward, reward_class
from rlpriors.rewards.shaping import ShapedReward, ShapingSettings

__all__ = [
    "REWARDS",
    "MLPReward",
    "RewardInput",
    "RewardModel",
    "RewardSettings",
    "ShapedReward",
    "ShapingSettings",
    "load_reward",
    "reward_class",
]
