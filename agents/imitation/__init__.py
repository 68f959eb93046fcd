"""Imitation learning: policies that reproduce demonstrations.

The package covers behavior cloning from vectors and images, ACT-JEPA, adversarial imitation, SQIL
and inverse soft Q-learning.  It does not know how demonstrations are recorded.

`act_jepa`              action chunks together with predicted latent observations
`adversarial`           GAIL, AIRL and DRAIL with any online algorithm
`airl_temperature`      temperature of adversarial inverse RL
`behavior_cloning`      behavior cloning from vector observations
`demonstrated_steps`    demonstrations as a replay buffer of the policy
`discriminator_update`  training of the discriminator inside an online algorithm
`iq_learn`              inverse soft Q-learning, online and offline
`iq_loss`               loss of inverse soft Q-learning
`iq_reward`             reward that inverse soft Q-learning recovers
`log_prob`              probability of environment actions under a policy
`pixel_buffer`          replay buffer of frame stacks stored on disk
`pixel_cloning`         behavior cloning from images, with augmentation and auxiliary losses
`pixel_policy`          policy with an image encoder
`soft_values`           soft values of SAC and DQN, which inverse soft Q-learning trains
`sqil`                  soft Q imitation learning
"""
