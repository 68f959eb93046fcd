"""What stands between an environment and a learner.

reward.py         `LearnedReward`: a learned reward in place of the environment's
vector.py         `VectorLearnedReward`: the same for `gymnasium.vector` environments
tianshou_venv.py  `TianshouLearnedReward`: the same for Tianshou's vector environments; imported from
                  there, so that workers that only step an environment do not import Tianshou
judge.py          what these share

pixels.py         `PixelObservation`: rendered frames as observations

autoreset.py      where episodes begin and end in a vector environment
"""

from rlpriors.wrappers.judge import RewardJudge, RewardSource
from rlpriors.wrappers.pixels import PixelObservation
from rlpriors.wrappers.reward import LearnedReward
from rlpriors.wrappers.vector import VectorLearnedReward

__all__ = ["LearnedReward", "PixelObservation", "RewardJudge", "RewardSource", "VectorLearnedReward"]
