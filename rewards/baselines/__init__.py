"""Rewards without adversarial or contrastive training, as baselines of learned rewards.

Each is fitted in seconds from recorded data alone.  Any claim about a learned reward needs these rows in
its table.

`features`          inputs and units of the baselines, from recorded data
`mean_difference`   `MeanDifferenceReward`: linear reward from two means
`nearest_expert`    `NearestExpertReward`: distance to the nearest demonstrated step
`segment_matching`  `SegmentMatching`: distance to the nearest demonstrated step of about the same time
`support`           `SupportReward`: support of the demonstrations by random expert distillation
"""
