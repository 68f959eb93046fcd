"""Inverse reinforcement learning with a diffusion prior.

The package covers the learning of a reward from demonstrations and a frozen trajectory prior.  It does not
know how the prior is trained or how the reward is used afterwards.

`diffusion_irl`       offline algorithm that learns the reward
`objective_schedule`  sequence of objectives in one training
`objectives`          losses that a reward is learned by
`original_recipe`     original recipe of diffusion IRL, for comparison
`reward_checks`       checks that a reward fits the policy's windows
`settings`            settings and training statistics
`support`             coverage of demonstrations by the prior
"""
