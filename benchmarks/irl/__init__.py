"""Rewards learned from demonstrations.

All methods share the prior, the data and the demonstrations of an environment and a seed.

`environments`        evaluation environments with their data, true rewards and scores
`baselines`           imitation learning and adversarial methods
`cost`                command that measures time and memory of an update and of a plan
`cost_tables`         Markdown tables of the costs
`experiment`          data, trained prior and untrained rewards of one environment and seed
`figures`             figures of the results
`locomotion_rewards`  command that correlates rewards of Hopper and HalfCheetah with physical quantities
`methods`             registry of all methods by name
`record_locomotion`   command that records the data of Hopper and HalfCheetah
`report`              Markdown tables of the results
`reward_learning`     `DiffusionIRL` with each objective, and the original recipe
`run`                 command that runs the methods
`sac_recorder`        SAC that keeps all of its experience
`scores`              results by environment, method and metric
`support`             command that evaluates the support check of the prior
"""
