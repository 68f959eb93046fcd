"""Verdicts of `rlpriors learn-reward` on well-learned and on deliberately spoiled rewards.

`spoil`   ways to spoil demonstrations, data, settings or a learned reward
`cells`   verdict on one reward
`run`     the benchmark
`report`  its tables
"""
