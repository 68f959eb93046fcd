"""Representation learning for imitation from pixels.

The experiment follows EIRLI (arXiv 2205.07886).  Training itself is done by `rlpriors imitate`.

`cells`   grid of methods, modes and augmentations, and the settings of each run
`report`  Markdown tables of the results
`run`     command that runs the grid
"""
