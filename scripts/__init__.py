"""Thin command lines over the library: settings, a few calls, save.

`main`           the `rlpriors` command
`demo`           `rlpriors demo`: a reward from demonstrations in a maze, from nothing
`demo_settings`  what it is told
`point_maze`     its world, and others like it
`maze_worlds`    how these are laid out
`report`         its numbers, table and pictures
`runs`           run folders, logs, checkpoints
`encode`         `rlpriors encode`: a data set through an encoder, once
`look`           `rlpriors look`: what an encoder looks at in an environment
`probe`          `rlpriors probe`: what an encoder knows of a game or a robot
`probe_settings` what it is told
`probe_subjects`, `probe_states`  what is compared there
`atari`, `mujoco_frames`  frames with the states that they show
`atari_ram`      what the bytes of an Atari's memory mean
`segmentation_frames`  frames with the class of each pixel
`mujoco_masks`, `atari_masks`, `atari_boxes`  how these come about
`frame_folders`  folders of frames that are collected once
`pretrain`       `rlpriors pretrain`: an encoder from frames
`pretrain_settings`  what it is told
`demonstrate`    `rlpriors demonstrate`: an expert's episodes as frames
`demonstrate_settings`  what it is told
`imitation_experts`, `imitation_worlds`  who plays, and where
`imitate`        `rlpriors imitate`: a policy from demonstrations' pixels
`imitate_settings`, `imitate_parts`  what it is told, and its parts
`train_policy`   `rlpriors train-policy`: a policy from scratch on a learned reward
`train_policy_settings`  what it is told
`online`         a policy learned by acting, on a learned reward or the environment's own
`online_settings`, `online_buffer`  how long that takes, and its steps as a file
`acting`         whole episodes of a policy
`accounts`       both returns of every episode, the shown and the true one
`changes`        worlds that differ from the one a reward was learned in
`record_locomotion`  experts and replay of MuJoCo's runners, as small files
`locomotion`     the learner that makes them
"""
