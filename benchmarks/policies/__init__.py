"""Score policies: goals, few denoising steps, two ways around an obstacle, a hidden phase, pushing.

`run`     the command: trainings, csv, report
`cells`   one training and its evaluations
`mazes`   point mazes
`pushing` FetchPush and its scripted controller
`worlds`  small environments and their demonstrations
`cloning` goal-conditioned cloning, the reference
`speed`   time of an action, and updates with cached embeddings
`report`  tables of the results
"""
