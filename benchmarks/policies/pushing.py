"""Pushing of a block by a robot arm: demonstrations of a scripted controller, and new goals.

`PUSHES`     pushing tasks by name
`PushWorld`  demonstrations and goals of FetchPush
`PushBlock`  scripted controller
`make_push`  environment whose observations begin with the place of the block
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.make import make_env
from rlpriors.envs.rollout import rollout
from rlpriors.training.rollout import evaluate_policy

__all__ = ["PUSHES", "PushBlock", "PushWorld", "make_push"]

BLOCK = (3, 4)
"""Entries of the environment's observation with the x and y of the block."""
NEAR = 0.05
"""Largest distance in meters between a block and its goal that counts as success, the environment's own."""
N_ENVS = 10
"""Number of environments of an evaluation; MuJoCo frees little memory."""


class BlockFirst(gym.ObservationWrapper[np.ndarray, Any, Any], gym.utils.RecordConstructorArgs):
    """Wrapper with the robot's observation as a vector that begins with the x and y of the block."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self)
        gym.ObservationWrapper.__init__(self, env)
        size = cast(Any, env.observation_space)["observation"].shape[0]
        self.order = np.array([*BLOCK, *(i for i in range(size) if i not in BLOCK)])
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def observation(self, observation: Any) -> np.ndarray:
        return np.asarray(observation["observation"][self.order], np.float32)


def make_push() -> gym.Env[Any, Any]:
    """Return FetchPush without its goal, with episodes of 50 steps."""
    return BlockFirst(make_env("FetchPush-v4"))


class PushBlock:
    """Controller of one episode, which pushes the block from behind toward the environment's goal.

    It rises, moves behind the block as seen from the goal, goes down, and pushes along the line to the goal.
    A gripper that has left the line starts again.
    """

    behind, above, fast = 0.075, 0.06, 0.04
    """Distances behind and above the block, and the longest way of a pushing step, in meters."""

    def __init__(self) -> None:
        self.phase = "approach"

    def __call__(self, env: gym.Env[Any, Any]) -> Float[np.ndarray, "4"]:
        robot = cast(Any, env.unwrapped)
        obs = robot._get_obs()["observation"]
        return self.act(obs[:3], obs[3:6], robot.goal)

    def act(self, grip: np.ndarray, block: np.ndarray, goal: np.ndarray) -> Float[np.ndarray, "4"]:
        """Return an action for the positions of gripper, block and goal."""
        way = (goal - block)[:2]
        distance = float(np.linalg.norm(way))
        if distance < 0.012:
            return np.zeros(4, np.float32)
        toward = way / distance
        offset = (grip - block)[:2]
        along = float(offset @ toward)
        side = offset - along * toward
        if self.phase == "push" and (along > -0.02 or np.linalg.norm(side) > 0.035):
            self.phase = "approach"
        start = np.append(block[:2] - self.behind * toward, block[2])
        if self.phase == "approach":
            move = start + np.array([0, 0, self.above]) - grip
            if np.linalg.norm(move[:2]) < 0.015:
                self.phase = "descend"
            elif grip[2] < block[2] + 0.75 * self.above:  # rise first, to pass over the block
                move[:2] *= 0.0 if along > -0.05 else 0.3
            move *= 2
        if self.phase == "descend":
            move = 1.5 * (start - grip)
            if abs(start[2] - grip[2]) < 0.02:
                self.phase = "push"
        if self.phase == "push":
            gap = max(0.0, -along - 0.045)
            length = min(self.fast, 0.15 * distance + 0.01) + 0.3 * gap
            move = np.append(length * toward - side, block[2] - grip[2])
        return np.append(np.clip(move / 0.05, -1, 1), 0.0).astype(np.float32)


class PushWorld(NamedTuple):
    """Demonstrations and goals of FetchPush."""

    noise: float
    """Fraction of the demonstrations' steps at which a random action is executed."""

    obs_keys: Sequence[str] | None = None
    """Leaves of the observation that policies read; None for observations without leaves."""

    @property
    def action_space(self) -> gym.Space[Any]:
        """Action space of the robot."""
        env = make_push()
        env.close()
        return env.action_space

    def data(self, n_episodes: int, seed: int, folder: Path) -> EpisodeStore:
        """Return the controller's episodes, which are recorded once and kept in `folder`."""
        path = folder / f"push-{self.noise:g}-{n_episodes}-seed{seed}.safetensors"
        if not path.exists():
            episodes = rollout(make_push, PushBlock, n_episodes, 1000 * (seed + 1), action_noise=self.noise)
            EpisodeStore.from_episodes(episodes).save(path)
        return EpisodeStore.load(path)

    def shown(self, data: EpisodeStore) -> dict[str, float]:
        """Return the fractions of demonstrations with the block at their goal in the end, and at any time."""
        at_goal = data.rew == 0  # otherwise -1
        ends = data.step_starts + data.lengths - 1
        ever = np.logical_or.reduceat(at_goal, data.step_starts)
        return {"success": float(at_goal[ends].mean()), "success-any": float(ever.mean())}

    def goals(self, n: int, seed: int) -> Float[np.ndarray, "n 2"]:
        """Return goals that the environment draws, which the demonstrations do not contain."""
        env = make_push()
        found = []
        for number in range(n):
            env.reset(seed=1000 * (seed + 1) + 500 if number == 0 else None)
            found.append(cast(Any, env.unwrapped).goal[:2])
        env.close()
        return np.array(found, np.float32)

    def evaluate(
        self,
        toward: Callable[[Float[np.ndarray, "n 2"]], Policy],
        goals: Float[np.ndarray, "n 2"],
        seed: int,
    ) -> dict[str, float]:
        """Return the fractions of goals that the block is at in the end, and at any time, and the distance.

        The distance is that in the end, in centimeters.  `toward` returns the policy that acts toward the
        given goals, one for each episode.
        """
        envs = DummyVectorEnv([make_push] * min(N_ENVS, len(goals)))
        ends, ever = [], []
        for first in range(0, len(goals), N_ENVS):
            chosen = goals[first : first + N_ENVS]
            episodes = evaluate_policy(toward(chosen), envs, len(chosen), seed=1000 * seed + first)
            # Episodes are in the order of their environments, because all have the same length.
            for i, goal in enumerate(chosen):
                distances = np.linalg.norm(episodes.episode(i).obs[:, :2] - goal, axis=1)
                ends.append(distances[-1])
                ever.append(distances.min() <= NEAR)
        envs.close()
        end = np.array(ends)
        return {
            "success": float((end <= NEAR).mean()),
            "success-any": float(np.mean(ever)),
            "cm": 100 * float(end.mean()),
        }


PUSHES = {"fetchpush": PushWorld(noise=0.1)}
"""Pushing tasks by name."""
