"""Command `rlpriors learn-reward`: a reward from the user's own demonstrations.

`settings`  settings and help of the command
`run`       the command
`policy`    its last stage, a policy on the reward alone
"""
