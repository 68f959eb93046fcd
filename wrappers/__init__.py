"""What stands between an environment and a learner.

encode.py           `EncodeObservation`: what a pretrained encoder sees in place of images
vector_encode.py    `VectorEncodeObservation`: the same for `gymnasium.vector` environments
tianshou_encode.py  `TianshouEncodeObservation`: the same for Tianshou's vector environments
encode_settings.py, encode_batch.py, encode_frames.py, images.py, ring.py   what these share

pixels.py           `PixelObservation`: rendered frames as observations

reward.py           `LearnedReward`: a learned reward in place of the environment's
vector.py           `VectorLearnedReward`: the same for `gymnasium.vector` environments
tianshou_venv.py    `TianshouLearnedReward`: the same for Tianshou's vector environments
judge.py            what these share

autoreset.py        where episodes begin and end in a vector environment

The Tianshou twins are imported from their files, so that workers that only step an environment do not
import Tianshou.
"""

from rlpriors.wrappers.encode_observation import EncodeObservation
from rlpriors.wrappers.learned_reward import LearnedReward
from rlpriors.wrappers.pixel_observation import PixelObservation
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.vector.encode_observation import VectorEncodeObservation
from rlpriors.wrappers.vector.learned_reward import VectorLearnedReward

__all__ = [
    "EncodeObservation",
    "LearnedReward",
    "PixelObservation",
    "RewardAdapter",
    "RewardSource",
    "VectorEncodeObservation",
    "VectorLearnedReward",
]
