"""Twins of the wrappers for Tianshou's vector environments.

Covers encodings and learned rewards with one batched call per vector step, in the main process, under
any Tianshou collector and therefore any of its algorithms.

encode_observation  `TianshouEncodeObservation`: encodings in place of images
learned_reward      `TianshouLearnedReward`: a learned reward in place of the environments' own
skill_action        `TianshouSkillAction`: skills of a policy as actions
envpool_env         `EnvPoolVectorEnv`: environments of EnvPool for Tianshou
gymnasium_env       `GymnasiumVectorEnv`: vector environments of Gymnasium for Tianshou
batched_env         base of both: no workers, spaces, attributes and seeds
vector_env          environment indices, spaces and Dict observations of Tianshou's vector environments
"""

from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation
from rlpriors.wrappers.tianshou.envpool_env import EnvPoolVectorEnv
from rlpriors.wrappers.tianshou.gymnasium_env import GymnasiumVectorEnv
from rlpriors.wrappers.tianshou.learned_reward import TianshouLearnedReward
from rlpriors.wrappers.tianshou.skill_action import TianshouSkillAction

__all__ = [
    "EnvPoolVectorEnv",
    "GymnasiumVectorEnv",
    "TianshouEncodeObservation",
    "TianshouLearnedReward",
    "TianshouSkillAction",
]
