"""Gridworld with an exact model, to evaluate rewards, planners and policies.

The package has the environment and the policies that generate its data.

`gridworld`     environment with transition and reward tables
`trajectories`  demonstrations and rollouts of tabular policies
"""

from rlpriors.envs.gridworld.gridworld import ACTIONS, GridWorld, four_rooms

__all__ = ["ACTIONS", "GridWorld", "four_rooms"]
