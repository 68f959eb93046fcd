"""Thin command lines over the library: settings, a few calls, save.

`main`        the `rlpriors` command
`demo`        `rlpriors demo`: a reward from demonstrations in a maze, from nothing
`encode`      `rlpriors encode`: a data set through an encoder, once
`look`        `rlpriors look`: what an encoder looks at in an environment
`point_maze`  the demo's world
`report`      the demo's numbers, table and pictures
`runs`        run folders, logs, checkpoints
"""
