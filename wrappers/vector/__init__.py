"""Twins of the wrappers for `gymnasium.vector` environments.

Covers encodings and learned rewards with one batched call per vector step, in the main process.  The
package does not import Tianshou.

autoreset           `AutoresetTracker`: episode boundaries in each autoreset mode
step_info           step results of Gymnasium's and of foreign vector environments
generic_wrapper     `GenericVectorWrapper`: base of the wrappers
encode_observation  `VectorEncodeObservation`: encodings in place of images
learned_reward      `VectorLearnedReward`: a learned reward in place of the environments' own
skill_action        `VectorSkillAction`: skills of a policy as actions
"""

from rlpriors.wrappers.vector.encode_observation import VectorEncodeObservation
from rlpriors.wrappers.vector.learned_reward import VectorLearnedReward
from rlpriors.wrappers.vector.skill_action import VectorSkillAction

__all__ = ["VectorEncodeObservation", "VectorLearnedReward", "VectorSkillAction"]
