"""Command `rlpriors label`: comparisons of recorded segments, by a person or by a program.

`settings`  settings and help of the command
`run`       the command
`sources`   labelers, pairs and pictures by their names
"""
