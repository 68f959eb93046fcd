"""Comparison of a policy's rollouts with demonstrations, without the true reward.

`demonstration_distance`  distance of visited states to demonstrations
`rollout_scores`          progress, closeness and separability of rollouts
`drift`                   drift of a policy away from the demonstrations
"""
