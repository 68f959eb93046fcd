"""Probing of representations: simple models that predict known variables from features.

Features come as arrays; only `supervised_baseline` trains an encoder.

`labels`               tasks: labels of variables and a split of the frames
`linear_probe`         linear probes by the protocol of AtariARI, and two baselines
`training`             training of linear probes
`batched_linear`       one layer for the probes of all variables, with its schedule
`sampling`             equal weight of frames, or of episodes
`metrics`              F1 and accuracy by variable and by category
`baselines`            scores of features, of the most frequent label and of a supervised network
`states`               probes of positions and velocities
`behavior`             probes of actions and rewards
`regression_probe`     ridge regression and nearest neighbors
`supervised_baseline`  encoder trained on the labels
`rank`                 effective rank and spread of features
"""
