"""Learned worlds: models of an environment's dynamics, from recorded episodes.

`settings`  sizes of a model, and its predictions
`model`     ensemble that predicts next observations and ends of episodes
`training`  offline algorithm that trains it
`files`     saving and loading
"""
