"""Exploration by rewards that fall where the agent has been.

The rewards themselves are in `rlpriors.rewards.exploration`.

`explore`            algorithms that add such a reward to the environment's, and count each step once
`explore_settings`   weights of the reward, and its training
`new_rows`           rows of a replay buffer that were added since the last look
`optimistic_policy`  Q-learning policy that adds the reward to the values when it collects
"""

from rlpriors.agents.exploration.explore import Explore, ExploreOnPolicy, ExploreStats
from rlpriors.agents.exploration.explore_settings import ExploreSettings
from rlpriors.agents.exploration.new_rows import NewRows
from rlpriors.agents.exploration.optimistic_policy import OptimisticQPolicy

__all__ = [
    "Explore",
    "ExploreOnPolicy",
    "ExploreSettings",
    "ExploreStats",
    "NewRows",
    "OptimisticQPolicy",
]
