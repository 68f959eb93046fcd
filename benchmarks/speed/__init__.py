"""Time of single building blocks on the machine at hand.

Each module is one command with one table.  None of them measures the quality of a result.

`denoisers`    training step and forward pass of each denoiser
`encode`       encode wrappers against the bare network
`maze_data`    collection of maze episodes
`pretraining`  updates of representation learning
"""
