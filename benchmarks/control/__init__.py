"""Reinforcement learning on encodings, against the same agent on downsampled pixels.

`tasks`         environments with images for observations, and the training of each
`observations`  encoders of the agents, downsampled pixels among them
`cells`         one training, and its learning curve
`report`        table of the results page
`run`           the command
"""
