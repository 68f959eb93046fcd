"""Rewards from comparisons and graded episodes.

`preference_learning`  offline algorithm that trains a reward on labeled pairs of segments
`settings`             its settings and training statistics
`inputs`               checks and splits of data, labels and grades
`reward_holder`        policy in the place of one in Tianshou's trainer
`pair_buffer`          batches of pairs, a bootstrap of its own for each member of an ensemble
`graded`               episodes of graded quality: pairs of them (D-REX), and the loss of their degree
`fit`                  a reward from pairs in one call
`self_play`            algorithms whose reward is the win rate against their own other episodes
`trajectory_queue`     win rates of the last episodes against each other
`finished_episodes`    episodes of an agent, as they end in a replay buffer
"""
