"""Inverse reinforcement learning with a diffusion prior.

The package covers the learning of a reward from demonstrations and a frozen trajectory prior.  It does not
know how the prior is trained or how the reward is used afterwards.

`diffusion_irl`       offline algorithm that learns the reward
`horizon_check`       check of demonstrations that end by termination
`hybrid`              training of an agent and a reward at the same time
`objective_schedule`  sequence of objectives in one training
`objectives`          losses that a reward is learned by
`order_accuracy`      test of demonstrations for progress
`original_recipe`     original recipe of diffusion IRL, for comparison
`other_goals`         demonstrations that miss their goal, as negatives
`path_lengths`        lengths of the ways between time steps
`planning_value`      value beyond the window, for plans by the learned reward
`progress`            use of the order of time steps within demonstrations
`reference`           negatives: the windows that demonstrations are compared with
`reward_checks`       checks that a reward fits the policy's windows
`settings`            settings and training statistics
`support`             coverage of demonstrations by the prior
`way_losses`          losses that make a reward follow the ways in demonstrations and data
"""
