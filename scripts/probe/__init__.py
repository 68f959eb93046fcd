"""Command `rlpriors probe`: linear probes of an encoder and of baselines.

The command scores variables of a game, states of a robot, actions and rewards.

`settings`  settings and help of the command
`run`       the command
`results`   features and scores on disk
`tables`    tables and csv
`page`      page in TensorBoard
"""
