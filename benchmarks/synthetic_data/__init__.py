"""Offline reinforcement learning on real data, and on synthetic trajectories toward a policy.

`run`      the command: cells, csv, report
`tasks`    environments with known rewards and dynamics
`targets`  log-probability of a trained policy
`cells`    prior, synthetic data and policy of a method
`report`   tables of the results
"""
