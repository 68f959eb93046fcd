"""MuJoCo environments: frames, states and segmentation masks.

The package needs mujoco, the extra `maze`, which is imported when an environment is made.

`collect`  frames of random policies with positions and velocities
`masks`    frames of random policies with segmentation masks
"""
