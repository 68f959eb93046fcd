"""Command `rlpriors demonstrate`: an expert's episodes as frames.

The command records a scripted expert, or renders recorded states, and compares the returns with a random
policy.

`settings`  settings and help of the command
`run`       the command
"""
