"""Twins of the wrappers for environments whose observations, rewards and flags are torch tensors.

Covers Isaac Lab, mjlab, ManiSkill and any environment with their conventions: a batch on one device,
`num_envs`, `single_observation_space`, and resets inside `step`.  Nothing is copied to the host.

tensor_wrapper      `TensorWrapper`: base of the wrappers
environment         attributes, spaces, device and autoreset mode of foreign environments
step_info           final observations and partial resets as tensors
reward_adapter      `TensorRewardAdapter`: a reward over transitions that are tensors
encode_observation  `TensorEncodeObservation`: encodings in place of images
learned_reward      `TensorLearnedReward`: a learned reward in place of the environments' own
"""

from rlpriors.wrappers.tensor.encode_observation import TensorEncodeObservation
from rlpriors.wrappers.tensor.learned_reward import TensorLearnedReward

__all__ = ["TensorEncodeObservation", "TensorLearnedReward"]
