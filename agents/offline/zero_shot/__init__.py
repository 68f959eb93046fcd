"""Zero-shot agents: policies for any goal or reward, from data without rewards.

`agent`              offline algorithm `SuccessorFeatureAgent`
`policy`             policy over skills, and the skills of goals, rewards and demonstrations
`inference`          skills of rewards by least squares
`settings`           settings of features and training
`samples`            transitions with goals
`base`               base class of features
`hilp`               distances in steps (HILP)
`latent_prediction`  predicted latent states (TD-JEPA, one step)
`forward_backward`   factors of the future occupancy
`fixed`              untrained features
`networks`           perceptrons, sphere, orthogonality
"""
