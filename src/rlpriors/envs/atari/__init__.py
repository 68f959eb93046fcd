"""Atari games: frames, RAM labels and segmentation masks.

The package needs ale_py, the extra `atari`, which is imported when a game starts.

`game`             one game on the emulator
`collect`          frames of random policies with the console's RAM
`envpool_games`    the same with the games of EnvPool
`ram_annotations`  variables in the RAM of 24 games
`probe_task`       probing tasks of the RAM variables
`object_boxes`     object boxes and masks from the RAM
`masks`            frames of random policies with segmentation masks
`probe_task`       probing tasks of the RAM variables
"""
