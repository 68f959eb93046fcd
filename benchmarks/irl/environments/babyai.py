"""Discrete task of BabyAI: turn and walk to the ball of a room, demonstrated by BabyAI's own bot.

`babyai`        evaluation environment
`BallRoom`      wrapper that observes the agent's place and direction and the ball's place
`FollowBot`     the bot as a scripted expert
`ball_reached`  true reward of a step

The room is `BabyAI-GoToRedBallNoDists-v0` of the package minigrid (Chevalier-Boisvert et al., arXiv
1810.08272).
"""

from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from benchmarks.irl.environments.base import Budget
from benchmarks.irl.environments.control import ControlEnvironment
from benchmarks.irl.policies import PolicyBudget
from rlpriors.agents import AlgorithmSettings

__all__ = ["BallRoom", "FollowBot", "babyai", "ball_reached"]

ENV_ID = "BabyAI-GoToRedBallNoDists-v0"


class BallRoom(gym.ObservationWrapper[np.ndarray, Any, Any]):
    """Wrapper whose observation is the place of the agent, its direction (one of four) and the ball's place.

    Places are columns and rows of the room.  A ball that the agent carries has the agent's place.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (8,), np.float32)

    def observation(self, observation: Any) -> np.ndarray:
        room = cast(Any, self.env.unwrapped)
        cells = [(i, j) for i in range(room.width) for j in range(room.height)]
        balls = [cell for cell in cells if getattr(room.grid.get(*cell), "type", "") == "ball"]
        place = room.agent_pos
        ball = balls[0] if balls else place
        return np.array([*place, *np.eye(4)[room.agent_dir], *ball], np.float32)


class FollowBot:
    """Actions of BabyAI's bot, which sees the whole room and plans anew from its present state."""

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        from minigrid.utils.baby_ai_bot import BabyAIBot

        bot = BabyAIBot(env)
        bot.vis_mask[:] = True  # a new bot has seen nothing and would explore
        return int(bot.replan())


def ball_reached(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return 1 for the step that ends in front of the ball, and 0 for others.

    The room itself pays 1 - 0.9 t / 64 for this step, where t is its number.
    """
    reached: Tensor = terminated.to(torch.float32)
    return reached


def make_room() -> gym.Env[Any, Any]:
    """Return the room with its vector observation.

    Raises:
        ValueError: minigrid is not installed.
    """
    try:
        import minigrid  # noqa: F401  # registers the environments
    except ImportError as error:
        raise ValueError(
            f"`--environments` babyai needs the package minigrid: pip install minigrid. Received {error}."
        ) from error
    return BallRoom(gym.make(ENV_ID))


class BabyAIEnvironment(ControlEnvironment):
    """Control task whose environment is the room."""

    @property
    def flat_env(self) -> Any:
        return make_room


def babyai() -> BabyAIEnvironment:
    """Return the evaluation environment; a third or more of the actions of its data are random."""
    return BabyAIEnvironment(
        "babyai",
        ENV_ID,
        FollowBot,
        ball_reached,
        PolicyBudget(
            AlgorithmSettings("dqn", hidden=(64, 64), lr=1e-3, gamma=0.95, n_step=3),
            env_steps=20_000,
            random_steps=1600,
            update_per_step=0.5,
            episodes=50,
        ),
        horizon=8,
        gamma=0.95,
        discrete_actions=True,
        budget=Budget(data_episodes=400, episodes=50, trajectories=200),
    )
