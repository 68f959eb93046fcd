"""Imitation learning: policies that reproduce demonstrations.

The package covers behavior cloning from vectors and images, adversarial imitation and SQIL.  It does not
know how demonstrations are recorded.

`adversarial`           GAIL, AIRL and DRAIL with any online algorithm
`behavior_cloning`      behavior cloning from vector observations
`discriminator_update`  training of the discriminator inside an online algorithm
`log_prob`              probability of environment actions under a policy
`pixel_buffer`          replay buffer of frame stacks stored on disk
`pixel_cloning`         behavior cloning from images, with augmentation and auxiliary losses
`pixel_policy`          policy with an image encoder
`sqil`                  soft Q imitation learning
"""
