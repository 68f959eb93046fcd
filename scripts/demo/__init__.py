"""Command `rlpriors demo`: a reward from demonstrations in a maze.

The command collects data, runs the stages of `rlpriors learn-reward` with given values, and evaluates plans
in the simulator.

`settings`  settings and help of the command
`run`       the command
`report`    table and instructions
`figures`   pictures
"""
