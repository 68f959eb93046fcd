"""Comparison of reward functions: distances, return agreement and exact tabular results.

All functions take any `RewardFn`; none knows an environment.

`epic`                EPIC distance and correlations
`dard`                DARD distance, from samples of a transition model
`tabular_distances`   exact EPIC, DARD and STARC of reward tables
`tabular_mdp`         tabular processes: exact policies, returns and occupancies
`max_ent_irl`         exact maximum-causal-entropy inverse RL in tables
`policy_regret`       loss of true return by planning with a learned reward
`value_iteration`     exact planning, with or without an entropy bonus
`return_correlation`  agreement of two rewards on the returns of trajectories
`trajectory_sets`     trajectories on which rewards are compared
`held_out`            scores on held-out demonstrations and data
`end_sharpness`       sharpness of a reward at the ends of demonstrations
`dynamics_check`      agreement of demonstrations with the dynamics of the data
`input_use`           inputs that a reward reads, and its order along episodes
`verdict`             findings without the true reward, and a verdict
`input_checks`        checks of the inputs of these comparisons
"""
