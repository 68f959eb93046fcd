"""Environments by name, and their data: collection, labels, scripted experts, perturbations.

Heavy packages (mujoco, ale_py, gymnasium_robotics) are imported when an environment needs them.  Trained
policies and training loops are in `rlpriors.training`.

`make`                environments by their id
`rollout`             rollouts of a policy in a single environment
`random_data`         episodes of random actions in any environment
`random_frames`       frames under random actions, for pretraining
`pixel_envs`          environments with small images for observations
`encoded_env`         environments whose images an encoder replaces by features
`experts`             scripted policies and recordings, for imitation from pixels
`graded_episodes`     episodes of a policy under growing noise
`segmentation_masks`  frames with segmentation masks, by the name of the environment
`atari`               frames, RAM labels and masks of Atari games
`mujoco`              frames, states and masks of MuJoCo environments
`maze`                point mazes: tasks, controllers, distances, perturbations
`gridworld`           gridworld with an exact model, and its data
`catch`               small game of images with a falling ball
`deep_sea`            test of exploration with one rewarded path
`world_model_env`     vector environment over a learned world
"""

from rlpriors.envs.make import make_env

__all__ = ["make_env"]
