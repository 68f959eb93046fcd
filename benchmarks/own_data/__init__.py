"""A reward and a policy from a user's own environment and demonstrations, by one command.

`tasks`           all environments, with their scripted experts
`environments`    environments that were invented after the command
`harbor`          environments that were invented later
`demonstrations`  demonstrations in a .npz file, and the return of random actions
`cells`           one command in one environment with one seed
`run`             the benchmark
`report`          its tables
"""
