"""Evaluation environments of reward learning.

Each environment provides data and demonstrations, a true reward, and scores of policies and rewards.

`base`                interface of the environments, and the budget that all methods share
`gridworld`           grid world with exact distances
`locomotion`          Hopper and HalfCheetah on recorded episodes
`maze`                PointMaze with a hidden goal
`registry`            environments by name
`return_correlation`  correlation of episode returns, and the episode sets that it is computed on
"""
