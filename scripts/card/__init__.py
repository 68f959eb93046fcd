"""Command `rlpriors card`: the model card of a saved reward, prior or encoder.

`settings`  settings and help of the command
`run`       the command
"""
