"""Ranking of policies in learned worlds, against their ranking in the simulator.

`controllers`   scripted controllers, and policies that mix them with random actions
`catch_frames`  Catch as features of its frames, its controllers, and a learned reward
`tasks`         environments, their rewards as functions, policies and data
`cells`         one world each, and its ranking
`report`        Markdown tables of the results
`run`           command that runs the cells
"""
