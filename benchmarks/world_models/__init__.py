"""Ranking of policies in learned worlds, against their ranking in the simulator.

`controllers`  scripted controllers, and policies that mix them with random actions
`tasks`        environments, their rewards as functions, policies and data
`cells`        one world each, and its ranking
`report`       Markdown tables of the results
`run`          command that runs the cells
"""
