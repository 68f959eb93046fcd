"""Exploration by bonuses in the reward and in the choice of actions.

`tasks`    environments and lengths of the trainings
`methods`  bonuses, and the settings that were chosen for each
`cells`    one training each, and its metrics
`report`   Markdown tables of the results
`run`      command that runs the cells
"""
