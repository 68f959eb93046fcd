"""Wrappers around environments: encoded images, rendered images and learned rewards.

Covers single environments, `gymnasium.vector` environments, environments of torch tensors and Tianshou's
vector environments.  The wrappers accept any encoder or reward and know no RL algorithm.  The package does
not import Tianshou: import the Tianshou twins from `rlpriors.wrappers.tianshou`.

encode_observation   `EncodeObservation`: encodings in place of images
learned_reward       `LearnedReward`: a learned reward in place of the environment's own
skill_action         `SkillAction`: skills of a policy as actions
pixel_observation    `PixelObservation`: rendered frames as observations
flat_observation     `FlatObservation`: chosen leaves of an observation as one vector
vector               twins of the first three for `gymnasium.vector` environments
tensor               twins of the first two for environments of tensors, such as Isaac Lab's
tianshou             twins of the first three for Tianshou's vector environments
encode_options       `EncodeOptions`: options of the encode wrappers
encoder_source       the encoder from a name, a folder or an `ImageEncoder`
option_checks        checks that encoder, options and images fit together
observation_encoder  `ObservationEncoder`: encoding of the observations of many environments
frame_encoder        `FrameEncoder`: one forward pass for frames of several sizes, with a cache
frame_stack          `FrameStack`: last encoded frames of each environment
images               images of observations: place, layout of the axes, range of the pixels
step_guard           `StepGuard`: no state across a step that an exception interrupted
autoreset_wrappers   `AutoresetWrappers`: episodes that start inside `step`
env_kind             check that a wrapper receives its kind of environment
reward_adapter       `RewardAdapter`: a reward fitted to an environment's spaces
arrays               operations that numpy arrays and tensors share
"""

from rlpriors.wrappers.encode_observation import EncodeObservation
from rlpriors.wrappers.flat_observation import FlatObservation
from rlpriors.wrappers.learned_reward import LearnedReward
from rlpriors.wrappers.pixel_observation import PixelObservation
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.skill_action import SkillAction
from rlpriors.wrappers.tensor.encode_observation import TensorEncodeObservation
from rlpriors.wrappers.tensor.learned_reward import TensorLearnedReward
from rlpriors.wrappers.vector.encode_observation import VectorEncodeObservation
from rlpriors.wrappers.vector.learned_reward import VectorLearnedReward
from rlpriors.wrappers.vector.skill_action import VectorSkillAction

__all__ = [
    "EncodeObservation",
    "FlatObservation",
    "LearnedReward",
    "PixelObservation",
    "RewardAdapter",
    "RewardSource",
    "SkillAction",
    "TensorEncodeObservation",
    "TensorLearnedReward",
    "VectorEncodeObservation",
    "VectorLearnedReward",
    "VectorSkillAction",
]
