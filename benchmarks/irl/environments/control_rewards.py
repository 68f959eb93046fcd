"""True rewards of control tasks, computed from observations.

`reacher`          minus the distance of the fingertip to the target, and a cost of the action
`double_pendulum`  bonus for each step, minus costs of position and speed
`fetch_reach`      minus the distance of the gripper to the goal
`lunar_lander`     change of a potential, cost of the engines, and 100 for landing or -100 for a crash

Gymnasium computes the same rewards from the state of the simulator.
"""

import torch
from torch import Tensor

__all__ = ["double_pendulum", "fetch_reach", "lunar_lander", "reacher"]


def reacher(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the rewards of Reacher-v5."""
    reward: Tensor = -obs_next[:, 8:10].norm(dim=1) - act.square().sum(1)
    return reward


def double_pendulum(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the rewards of InvertedDoublePendulum-v5, whose observation holds the joints and speeds.

    The poles have a length of 0.6.  Observed speeds are clipped to 10, which the reward's are not.
    """
    cart, sin_1, sin_2, cos_1, cos_2 = obs_next[:, :5].unbind(1)
    tip_x = cart + 0.6 * (sin_1 + sin_1 * cos_2 + cos_1 * sin_2)
    tip_y = 0.6 * (cos_1 + cos_1 * cos_2 - sin_1 * sin_2)
    speed_1, speed_2 = obs_next[:, 6:8].unbind(1)
    cost = 0.01 * tip_x.square() + (tip_y - 2).square()
    cost = cost + 1e-3 * speed_1.square() + 5e-3 * speed_2.square()
    reward: Tensor = 10.0 * (~terminated).to(cost.dtype) - cost
    return reward


def fetch_reach(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the rewards of FetchReachDense-v4; the observation ends with the goal."""
    offset = obs_next[:, :3] - obs_next[:, 10:13]
    return -offset.norm(dim=1)


def lunar_lander(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the rewards of LunarLander-v3.

    A lander that rested before the terminated step has landed; a moving one has crashed or left the viewport.
    """
    action = act[:, 0]
    engines = 0.3 * (action == 2) + 0.03 * ((action == 1) | (action == 3))
    shaped = _lander_potential(obs_next) - _lander_potential(obs) - engines
    landed = (obs[:, 2:4].norm(dim=1) < 0.01) & (obs_next[:, 0].abs() < 1)
    return torch.where(terminated, torch.where(landed, 100.0, -100.0), shaped)


def _lander_potential(obs: Tensor) -> Tensor:
    distance, speed = obs[:, :2].norm(dim=1), obs[:, 2:4].norm(dim=1)
    potential: Tensor = -100 * (distance + speed + obs[:, 4].abs()) + 10 * obs[:, 6:8].sum(1)
    return potential
