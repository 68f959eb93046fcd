"""Zero-shot agents: goals and rewards without training for them.

`run`     the command: trainings, csv, report
`cells`   one training and its evaluation on all tasks
`worlds`  environments, data and tasks
`report`  tables of the results
`speed`   seconds of the skill of a reward, and of acting
"""
