"""Command `rlpriors plan`: plans by a saved prior and a saved reward, executed in an environment.

`settings`  settings and help of the command
`run`       the command
"""
