"""Command `rlpriors encode`: a data set of images as features.

The command writes the features of every frame, so that training needs neither the frames nor the encoder.

`settings`  settings and help of the command
`run`       the command
"""
