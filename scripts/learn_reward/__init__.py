"""Command `rlpriors learn-reward`: a reward from the user's own demonstrations.

`settings`  settings and help of the command
`run`       the command
"""
