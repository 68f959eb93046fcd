"""Command `rlpriors zero-shot`: policies for goals and rewards, from data without rewards.

`settings`    settings and help of the command
`run`         function of the command
`evaluation`  success on goals, and returns of rewards
"""
