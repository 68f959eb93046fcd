"""Synthetic trajectories of a prior, pushed toward a target policy.

`generate`         data set of synthetic trajectories
`policy_guidance`  sampler that follows the action score of a target policy
"""
