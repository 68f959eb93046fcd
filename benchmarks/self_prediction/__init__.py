"""Self-prediction next to a distributional DQN: SPR, the same agent without it, and without augmentation.

`tasks`    games, networks and lengths of the trainings
`cells`    one training each, and its metrics
`report`   Markdown tables of the results
`run`      command that runs the cells
"""
