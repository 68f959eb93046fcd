"""Command `rlpriors pretrain`: an encoder from frames.

The command trains an encoder without labels on stored frames or on frames of an environment.

`settings`  settings and help of the command
`run`       the command
"""
