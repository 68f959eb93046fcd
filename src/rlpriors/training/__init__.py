"""Training loops and rollouts, with logs and checkpoints.

The package runs algorithms, policies and encoders in Tianshou's trainers, and writes TensorBoard logs and
run folders.  It does not know the environments of `rlpriors.envs` or the command line.

`offline`             gradient updates on a fixed buffer
`online`              training in an environment, on its reward or on a learned one
`online_settings`     settings and result of online training
`reward_learning`     reward of own demonstrations, from data to a report
`representation`      training of an encoder from frames
`rollout`             whole episodes of a policy, for evaluation
`drift_monitor`       distance to demonstrations while a policy trains on a learned reward
`episode_statistics`  the environment's return next to the return that the agent receives
`distributed`         several processes, started by torchrun
`collapse_monitor`    feature statistics of an encoder in training
`buffer_state`        replay buffers as plain arrays, for checkpoints
`reward_state`        running statistics of normalized rewards, for checkpoints
`run_folder`          run folders with their settings on disk
"""
