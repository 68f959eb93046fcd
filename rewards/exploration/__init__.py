"""Rewards for exploration, which fall where the agent has been.

They need no demonstrations.  `rlpriors.agents.exploration.Explore` updates them while an agent learns.

`base`                base class: the updates of a reward that changes in every environment step
`inverse_covariance`  inverse of a sum of outer products, updated in place
`features`            features of observation and action: product, random and contrastive ones
`elliptical`          `EllipticalBonus`: uncertainty of a linear model of the features
`disagreement`        `DisagreementReward`: variance of several predictions of the next observation
"""

from rlpriors.rewards.exploration.base import ExplorationReward, ExplorationSettings
from rlpriors.rewards.exploration.disagreement import DisagreementReward, DisagreementSettings
from rlpriors.rewards.exploration.elliptical import EllipticalBonus, EllipticalSettings
from rlpriors.rewards.exploration.inverse_covariance import InverseCovariance

__all__ = [
    "DisagreementReward",
    "DisagreementSettings",
    "EllipticalBonus",
    "EllipticalSettings",
    "ExplorationReward",
    "ExplorationSettings",
    "InverseCovariance",
]
