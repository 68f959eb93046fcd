"""Command `rlpriors learn-prior`: a diffusion model of the trajectories that are possible in an environment.

`settings`  settings and help of the command
`run`       the command
"""
