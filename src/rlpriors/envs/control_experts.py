"""Scripted experts of control tasks, which read the simulator, and mixtures of them with random actions.

`BalanceDoublePendulum`  linear-quadratic feedback for InvertedDoublePendulum
`ReachGoal`              proportional control of the gripper in FetchReach
`LandOnPad`              heuristic of LunarLander
`mix_random`             an expert whose actions are partly replaced by random ones

An object acts for one episode, as `rlpriors.envs.rollout.rollout` calls it.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_discrete_are

from rlpriors.envs.rollout import EnvPolicy

__all__ = ["BalanceDoublePendulum", "LandOnPad", "ReachGoal", "mix_random"]


class BalanceDoublePendulum:
    """Linear feedback that holds both poles of InvertedDoublePendulum upright, the cart at the center.

    The gain is that of the discrete-time linear-quadratic regulator (Anderson and Moore 2007, section 2.4)
    for the linearization of MuJoCo's simulation at the upright position.

    Example:
        >>> env = gym.make("InvertedDoublePendulum-v5")
        >>> obs, _ = env.reset(seed=0)
        >>> BalanceDoublePendulum()(env).shape
        (1,)
    """

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        robot = cast(Any, env.unwrapped)
        state = np.concatenate([robot.data.qpos, robot.data.qvel])
        limit = float(cast(gym.spaces.Box, env.action_space).high[0])
        force = -_double_pendulum_gain(robot.frame_skip) @ state
        return np.asarray(np.clip(force, -limit, limit), np.float32)


@cache
def _double_pendulum_gain(frame_skip: int) -> Float[np.ndarray, "1 6"]:
    """Return the gain of the regulator, for actions that are held for `frame_skip` steps of the simulator."""
    mujoco: Any = import_module("mujoco")  # compiled, and without types
    env = gym.make("InvertedDoublePendulum-v5")
    model = cast(Any, env.unwrapped).model
    data = mujoco.MjData(model)

    def step(state: Float[np.ndarray, "6"], action: float) -> Float[np.ndarray, "6"]:
        mujoco.mj_resetData(model, data)
        data.qpos, data.qvel, data.ctrl = state[:3], state[3:], action
        mujoco.mj_step(model, data, frame_skip)
        return np.concatenate([data.qpos, data.qvel])

    small = 1e-5
    rows = [(step(small * unit, 0.0) - step(-small * unit, 0.0)) / (2 * small) for unit in np.eye(6)]
    dynamics = np.stack(rows, 1)
    control = ((step(np.zeros(6), small) - step(np.zeros(6), -small)) / (2 * small))[:, None]
    env.close()
    state_cost, action_cost = np.diag([1.0, 10.0, 10.0, 0.1, 0.1, 0.1]), np.eye(1)
    cost = solve_discrete_are(dynamics, control, state_cost, action_cost)
    gain = np.linalg.solve(action_cost + control.T @ cost @ control, control.T @ cost @ dynamics)
    return np.asarray(gain)


class ReachGoal:
    """Proportional control that moves the gripper of FetchReach to the goal, with closed fingers.

    The policy reads the goal-conditioned observation, so a wrapper may hide it from the agent.

    Example:
        >>> from rlpriors.envs.make import make_env
        >>> env = make_env("FetchReachDense-v4")
        >>> obs, _ = env.reset(seed=0)
        >>> ReachGoal()(env).shape
        (4,)
    """

    gain = 10.0
    """Action per meter of distance along each axis."""

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        obs = cast(Any, env.unwrapped)._get_obs()
        offset = obs["desired_goal"] - obs["achieved_goal"]
        return np.append(np.clip(self.gain * offset, -1, 1), 0.0).astype(np.float32)


class LandOnPad:
    """Heuristic of Gymnasium's LunarLander: hover down to the pad, upright, and stop the engines on contact.

    It needs the packages box2d and pygame, as the environment does.

    Example:
        >>> land = LandOnPad()  # land(env) is the action
    """

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        from gymnasium.envs.box2d import lunar_lander

        lander = cast(Any, env.unwrapped)
        return int(cast(Any, lunar_lander).heuristic(lander, _lander_observation(lander)))


def _lander_observation(lander: Any) -> np.ndarray:
    """Return the observation of the lander's present state, as its `step` computes it."""
    from gymnasium.envs.box2d import lunar_lander as module

    body = lander.lander
    half = np.array([module.VIEWPORT_W, module.VIEWPORT_H]) / module.SCALE / 2
    floor = lander.helipad_y + module.LEG_DOWN / module.SCALE
    position = (np.array(body.position) - [half[0], floor]) / half
    velocity = np.array(body.linearVelocity) * half / module.FPS
    legs = [float(leg.ground_contact) for leg in lander.legs]
    return np.array([*position, *velocity, body.angle, 20.0 * body.angularVelocity / module.FPS, *legs])


def mix_random(
    expert: Callable[[], EnvPolicy], low: float, high: float, rng: np.random.Generator
) -> Callable[[], EnvPolicy]:
    """Return a factory of experts whose actions are random with a probability drawn for each episode.

    The episodes of `rollout` record the executed actions.

    Args:
        expert: factory of the expert.
        low: lowest probability of a random action in a step.
        high: highest probability.
        rng: source of the probabilities and of the choice of steps; random actions come from the
            environment's action space.

    Raises:
        ValueError: the probabilities are not 0 <= low <= high <= 1.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"`low` and `high` must be 0 <= low <= high <= 1. Received {low} and {high}.")

    def make() -> EnvPolicy:
        policy, chance = expert(), rng.uniform(low, high)

        def act(env: gym.Env[Any, Any]) -> Any:
            return env.action_space.sample() if rng.random() < chance else policy(env)

        return act

    return make
