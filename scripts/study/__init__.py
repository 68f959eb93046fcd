"""Command `rlpriors study`: pretraining data at several distances from a target.

The command pretrains an encoder on each split of the data, and segments the target with each of them.

`settings`  settings and help of the command
`run`       the command
`splits`    names of the splits
`sources`   frames of the splits and of the target
`cells`     pretraining, distances and segmentation of one split
`report`    csv, statistics, table and figure
"""
