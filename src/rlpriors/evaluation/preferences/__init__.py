"""Metrics of rewards that need comparisons or successes, and no true reward.

`pair_accuracy`  agreement of a reward with labeled pairs of segments
`value_order`    order of predicted values along successful episodes
"""
