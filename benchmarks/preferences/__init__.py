"""Rewards from comparisons, and offline policies that are trained on them.

`cells`      cells of the benchmark: one folder of numbers each
`methods`    rewards by method, and the policies that implicit Q-learning trains on them
`report`     Markdown tables of the results
`run`        command of the benchmark
`self_play`  self-play preference optimization against a reward from the same comparisons
`worlds`     environments with mixed-quality data whose true rewards are hidden from the methods
"""
