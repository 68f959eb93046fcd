"""Zero-shot agents: policies for any goal or reward, from data without rewards.

`agent`              offline algorithm `SuccessorFeatureAgent`
`policy`             policy over skills, which acts toward a goal or by a skill
`skills`             skills of rewards by least squares, and of demonstrations
`goals`              goals as observations, some of their entries, or leaves of observations
`action_codes`       actions as networks read and write them
`settings`           settings of features and training
`samples`            transitions with goals, and goals in hindsight
`base`               base class of features
`hilp`               distances in steps (HILP)
`latent_prediction`  predicted latent states (TD-JEPA, one step)
`forward_backward`   factors of the future occupancy
`fixed`              untrained features
`networks`           perceptrons, sphere, orthogonality
`files`              saving and loading
`skills_card`        model card
"""
