"""Command `rlpriors demo`: a reward from demonstrations in a maze.

The command collects data, trains a prior and a reward, and evaluates plans in the simulator.

`settings`  settings and help of the command
`run`       the command
`evaluation`  report without the true reward
`report`    table and instructions
`figures`   pictures
"""
