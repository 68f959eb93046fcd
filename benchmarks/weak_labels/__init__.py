"""Rewards from labels that cost nothing: grades of noise, and successes of the same batch.

`degree`    preference degree and D-REX next to Bradley-Terry, by number of labels
`progress`  progress of failures (SRPO) against sparse and shaped rewards on a long corridor
`corridor`  the corridor
`report`    tables of the results
`run`       command of the benchmark
"""
