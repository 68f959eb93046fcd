"""Commands of `rlpriors --help`.

Each command is a package: its settings, and a function that makes a few library calls and writes a run
folder.  A command converts its settings to values, and nothing outside of its package takes its settings.

`main`          the `rlpriors` command and its table of commands
`encoder_args`  arguments of an encoder, shared by the commands
`run_args`      arguments of a run's folder, shared by the commands
`demo`          a reward from demonstrations in a maze
`demonstrate`   an expert's episodes as frames
`encode`        a data set of images as features
`imitate`       a policy from demonstrations as frames
`pretrain`      an encoder from frames
`probe`         linear probes of an encoder and of baselines
`study`         pretraining data at several distances from a target
`train_policy`  a policy on a saved reward
`visualize`     attention and saliency maps of an encoder
"""
