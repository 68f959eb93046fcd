"""Learning of a reward from a user's own demonstrations, from data to a report.

`demonstration_pipeline`  stages of a command: prior, reward and findings
`pipeline`         trainings of the prior and of several rewards
`choices`          defaults that follow from the data, each with its reason
`stages`           trainings of the prior and of rewards, resumable
`ends`             rewards of demonstrations that end their episodes
`evaluation`       evaluation of a learned reward without the true reward
`report`           report in Markdown, as pictures and in TensorBoard
`pictures`         pictures of a reward
`over_training`    pictures of a reward and of plans over the training
`policy_stage`     training of a policy on the reward, compared with the demonstrations
`policy_findings`  findings on this policy
`policy_pictures`  pictures of this policy
"""
