"""Learning of a reward from a user's own demonstrations, from data to a report.

`pipeline`     stages of a command: prior and rewards
`choices`      defaults that follow from the data, each with its reason
`stages`       trainings of the prior and of rewards, resumable
`evaluation`   evaluation of a learned reward without the true reward
`report`       report in Markdown, as pictures and in TensorBoard
`pictures`     pictures of a reward
"""
