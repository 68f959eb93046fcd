"""Trajectory models and the policies that act with them.

The package covers planning with a trajectory prior, diffusion policies and the training of both.  It does
not know how a reward is learned.

`action_normalizer`     maps of actions to [-1, 1]
`diffuser`              policy that plans with a trajectory diffusion model
`diffusion_cloning`     training of diffusion policies on demonstrations
`diffusion_policy`      policy that samples action chunks from a diffusion model
`fast`                  one-step flow policies, and small policies distilled from planners
`inverse_dynamics`      network for the action between two observations, and its training
`prior_files`           files of trajectory priors
`score`                 score policies with goals and a memory (BESO, past-token prediction)
`synthetic`             synthetic trajectories, pushed toward a target policy
`terminal_value`        value of the states in which plans end
`terminal_value_fit`    training of that value
`trajectory_diffusion`  training of the trajectory prior
`trajectory_layout`     layout and normalization of trajectory windows
"""
