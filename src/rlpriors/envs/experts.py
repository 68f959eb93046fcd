"""Experts for imitation from pixels: scripted policies and recordings.

`EXPERTS`      scripted policies by the plain name of their environment
`find_expert`  the scripted policy of an environment
`replay`       episodes of images from recorded states

Scripted policies read the state that images hide: the RAM of an Atari game, the joints of a robot.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.pixel_envs import AtariPixels, PixelEnvSpec
from rlpriors.envs.rollout import EnvPolicy

__all__ = ["EXPERTS", "find_expert", "replay"]


class _BallGame:
    """Policy that moves the middle of the paddle to the predicted position of the ball.

    The prediction extrapolates the ball's positions in the RAM of two consecutive steps.  A paddle moves by
    about 22 pixels while an action is held, so the policy waits when it is within half of that.
    """

    ball: tuple[int, int]
    """RAM addresses of the ball's position along the paddle's axis, and across it."""
    paddle: int
    """RAM address of the paddle's position."""
    middle: int
    """Difference of the two positions when the ball hits the middle of the paddle."""
    walls: tuple[int, int]
    """Positions along the paddle's axis at which the ball bounces."""
    line: int
    """Position across at which the ball meets the paddle."""
    actions: tuple[str, str]
    """Actions that increase and decrease the paddle's position."""
    serve = "NOOP"
    """Action while there is no ball."""
    tolerance = 9
    """Distance to the target within which the paddle waits."""

    def __init__(self) -> None:
        self._last_ball: tuple[int, int] | None = None

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        game = cast(AtariPixels, env.unwrapped)
        ram, names = game.ram(), game.actions
        along, across = (int(ram[address]) for address in self.ball)
        if self._gone(along, across):
            self._last_ball = None
            return names.index(self.serve)
        before, self._last_ball = self._last_ball, (along, across)
        target = float(along)
        if before is not None:
            speed, approach = along - before[0], across - before[1]
            if 0 < approach < 40 and abs(speed) < 40:  # a larger jump is a new ball
                arrival = along + speed * (self.line - across) / approach
                target = _reflect(arrival, *self.walls)
        error = target - int(ram[self.paddle]) - self.middle
        if abs(error) <= self.tolerance:
            return names.index("NOOP")
        return names.index(self.actions[error < 0])

    def _gone(self, along: int, across: int) -> bool:
        return along == 0 or across == 0


class Pong(_BallGame):
    """Scripted policy for Pong, which misses few balls.

    Example:
        >>> env = PixelEnvSpec("pong", max_episode_steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Pong()(env)  # no ball yet
        0
    """

    ball, paddle, middle, walls, line = (54, 49), 51, 7, (44, 207), 188
    actions = ("LEFT", "RIGHT")  # down, up


class Breakout(_BallGame):
    """Scripted policy for Breakout, which loses a ball now and then.

    Example:
        >>> env = PixelEnvSpec("breakout", max_episode_steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Breakout()(env) in range(4)
        True
    """

    ball, paddle, middle, walls, line = (99, 101), 72, 9, (57, 199), 176
    actions = ("RIGHT", "LEFT")
    serve = "FIRE"

    def _gone(self, along: int, across: int) -> bool:
        return across == 0 or across > 225


class Freeway:
    """Scripted policy for Freeway: always up.

    Example:
        >>> env = PixelEnvSpec("freeway", max_episode_steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Freeway()(env)
        1
    """

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        return cast(AtariPixels, env.unwrapped).actions.index("UP")


class InvertedPendulum:
    """Linear feedback policy that balances the pole and returns the cart to the center.

    Example:
        >>> env = PixelEnvSpec("InvertedPendulum-v5", max_episode_steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> InvertedPendulum()(env).shape
        (1,)
    """

    gains = np.array([0.5, 8.0, 1.0, 1.5])

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        data = cast(Any, env.unwrapped).data
        force = float(self.gains @ np.concatenate([data.qpos, data.qvel]))
        return np.clip(np.array([force], np.float32), -3, 3)


class Reacher:
    """Policy that pulls the fingertip to the target by the transposed Jacobian of the arm, with damping.

    Example:
        >>> env = PixelEnvSpec("Reacher-v5", max_episode_steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Reacher()(env).shape
        (2,)
    """

    stiffness, damping = 30.0, 0.08

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        robot = cast(Any, env.unwrapped)
        upper, lower = robot.data.qpos[:2]
        offset = (robot.get_body_com("target") - robot.get_body_com("fingertip"))[:2]
        links = np.array([[np.cos(upper), np.sin(upper)], [np.cos(upper + lower), np.sin(upper + lower)]])
        links *= np.array([[0.1], [0.11]])
        jacobian = np.array([[-links[0, 1] - links[1, 1], -links[1, 1]], [links.sum(0)[0], links[1, 0]]])
        torque = self.stiffness * jacobian.T @ offset - self.damping * robot.data.qvel[:2]
        return np.asarray(np.clip(torque, -1, 1), np.float32)


EXPERTS: dict[str, Callable[[], EnvPolicy]] = {
    "pong": Pong,
    "breakout": Breakout,
    "freeway": Freeway,
    "reacher": Reacher,
    "invertedpendulum": InvertedPendulum,
}
"""Factories of scripted policies, by the plain name of their environment."""


def find_expert(spec: PixelEnvSpec) -> Callable[[], EnvPolicy]:
    """Return the factory of the scripted policy of an environment; one policy acts for one episode.

    Raises:
        ValueError: the environment has no scripted policy.
    """
    if spec.name not in EXPERTS:
        close = get_close_matches(spec.name, EXPERTS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"`env` must be one of {', '.join(EXPERTS)}, which have a scripted expert, or come with a "
            f"`recording` of an expert. Received {spec.env_id!r}.{hint}"
        )
    return EXPERTS[spec.name]


def replay(spec: PixelEnvSpec, recording: str | Path, n_episodes: int) -> Iterator[Episode]:
    """Yield the first episodes of a recording as images, by setting the simulator's state and rendering it.

    Episodes are cut at `spec.max_episode_steps`.  The recording must be of a MuJoCo runner, whose
    observations are all positions but the first, and all velocities.  The first position is integrated from
    its velocity.

    Raises:
        ValueError: the observations have another size, or the recording has fewer episodes.
    """
    store = EpisodeStore.load(recording)
    if n_episodes > store.n_episodes:
        raise ValueError(
            f"`n_episodes` must be at most {store.n_episodes}, the episodes of the recording. Received "
            f"{n_episodes}."
        )
    env = spec.make()
    try:
        robot = cast(Any, env.unwrapped)
        model = getattr(robot, "model", None)
        sizes = (0, 0) if model is None else (model.nq, model.nv)
        if model is None or store.obs.shape[1:] != (sum(sizes) - 1,):
            raise ValueError(
                "`recording` must hold the observations of a MuJoCo runner: all of its "
                f"{sum(sizes) - 1} positions and velocities but the first position. Received {store} for "
                f"{spec.env_id!r}."
            )
        for number in range(n_episodes):
            episode = store.episode(number)
            n_steps = min(spec.max_episode_steps, len(episode.rew))
            env.reset(seed=number)
            position = np.concatenate([[0.0], np.cumsum(robot.dt * episode.obs[:n_steps, sizes[0] - 1])])
            frames = []
            for x, obs in zip(position, episode.obs[: n_steps + 1], strict=True):
                state = np.concatenate([[x], obs]).astype(np.float64)
                robot.set_state(state[: sizes[0]], state[sizes[0] :])
                frames.append(cast(Any, env).observation(None))
            terminated = episode.terminated[:n_steps]
            truncated = np.zeros(n_steps, np.bool_)
            truncated[-1] = not terminated[-1]
            yield Episode(
                np.array(frames), episode.act[:n_steps], episode.rew[:n_steps], terminated, truncated
            )
    finally:
        env.close()


def _reflect(position: float, low: int, high: int) -> float:
    """Return the position of a ball that bounces at both walls."""
    phase = (position - low) % (2 * (high - low))
    return low + min(phase, 2 * (high - low) - phase)
