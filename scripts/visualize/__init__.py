"""Command `rlpriors visualize`: attention and saliency maps of an encoder.

The command draws the maps over frames of an environment.

`settings`  settings and help of the command
`run`       the command
"""
