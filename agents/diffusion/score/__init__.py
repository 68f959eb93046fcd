"""Score policies: actions by a few denoising steps, with goals and a memory of past time steps.

`settings`      settings of window, past actions, denoising and network
`samples`       training windows with a past and a goal
`goal_entries`  action spaces and goals of data
`inputs`        network inputs of windows
`rollout`       past of each environment in a rollout
`policy`        policy with goals, guidance and self-verification
`beso`          training of the policy
`files`         saved policies
"""
