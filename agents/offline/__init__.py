"""Offline reinforcement learning: policies from recorded transitions and their rewards.

The rewards are those of the data or of any reward model (`EpisodeStore.relabel`).  Policies are the ones of
`rlpriors.agents.online`, so `save_policy` and `load_policy` apply to them.

`factory`              untrained offline algorithm for an environment's spaces
`iql`                  implicit Q-learning, for Box and Discrete actions
`losses`               expectile loss and advantage weights
`seeded_training`      base class: batches and noise from a seed, resuming
`settings`             settings of the offline algorithms
`tianshou_algorithms`  Tianshou's TD3+BC, CQL and discrete CQL, seeded and resumable
`zero_shot`            policies for any goal or reward, from data without rewards
"""
