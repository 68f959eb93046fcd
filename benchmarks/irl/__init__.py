"""Rewards learned from demonstrations.

All methods share the data and the demonstrations of an environment and a seed.

`environments`        evaluation environments with their data, true rewards and scores
`methods`             every objective and every baseline
`cells`               one run of an environment, a seed and a method
`cost`                command that measures time and memory of an update and of a plan
`cost_tables`         Markdown tables of the costs
`experiment`          data, trained prior and untrained rewards of one environment and seed
`figures`             figures of the results
`locomotion_rewards`  command that correlates rewards of Hopper and HalfCheetah with physical quantities
`policies`            policies trained on a reward alone
`record_locomotion`   command that records the data of Hopper and HalfCheetah
`report`              Markdown tables of the results
`run`                 command that runs the cells
`sac_recorder`        SAC that keeps all of its experience
`scores`              results by environment, method and metric
`search`              command that chooses the methods' settings on development seeds
`support`             command that evaluates the support check of the prior
"""
