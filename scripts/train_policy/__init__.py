"""Command `rlpriors train-policy`: a policy on a saved reward.

The command trains a policy from scratch, also in an environment that differs from the demonstrations'.

`settings`  settings and help of the command
`run`       the command
"""
