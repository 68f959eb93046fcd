"""A reward and a policy from a user's own environment and demonstrations, by one command.

`environments`    environments that were invented after the command, with their scripted experts
`demonstrations`  demonstrations in a .npz file, and the return of random actions
`cells`           one command in one environment with one seed
`run`             the benchmark
`report`          its tables
"""
