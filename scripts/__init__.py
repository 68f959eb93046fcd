"""Commands of `rlpriors --help`.

Each command is a package: its settings, and a function that makes a few library calls and writes a run
folder.  A command converts its settings to values, and nothing outside of its package takes its settings.

`main`           the `rlpriors` command and its table of commands
`data_args`      arguments of an environment and its data, shared by the commands
`encoder_args`   arguments of an encoder, shared by the commands
`env_args`       arguments of an environment, shared by the commands
`learning_args`  arguments of windows and training, shared by the commands
`run_args`       arguments of a run's folder, shared by the commands
`demo`           a reward from demonstrations in a maze
`demonstrate`    an expert's episodes as frames
`encode`         a data set of images as features
`imitate`        a policy from demonstrations as frames
`learn_prior`    a diffusion model of trajectories
`learn_reward`   a reward from own demonstrations, with a report
`plan`           plans by a saved prior and a saved reward
`pretrain`       an encoder from frames
`probe`          linear probes of an encoder and of baselines
`study`          pretraining data at several distances from a target
`train_policy`   a policy on a saved reward
`visualize`      attention and saliency maps of an encoder
`zero_shot`      policies for goals and rewards, from data without rewards
"""
