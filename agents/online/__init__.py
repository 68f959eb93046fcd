"""Online algorithms: Tianshou's own, rewards inside them and encoders inside their policies.

The package covers the creation and saving of Tianshou's algorithms and their use with rewards that are
still trained.  It does not know the training loop (`rlpriors.training`).

`action_units`     conversion between the units of policy and environment
`encoder_network`  image encoder inside a policy, frozen or trained with it
`factory`          untrained SAC, TD3, PPO or DQN for an environment's spaces
`policy_files`     files of trained policies
`random_policy`    uniformly random actions in units of the environment
`relabel`          algorithms that learn from any reward, including one that is still trained
`settings`         settings of Tianshou's algorithms
"""
