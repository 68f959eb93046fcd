"""Who plays well enough to be imitated: scripts that look behind the pixels, and recordings.

`EXPERTS`      scripted players by the plain name of their environment
`find_expert`  the one of an environment
`replay`       episodes of frames from recorded states

They are shown what the imitator is not: an Atari's memory, a robot's joints.
"""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.pixel_envs import AtariPixels, PixelEnvSpec

__all__ = ["EXPERTS", "Player", "find_expert", "replay"]

Player = Callable[[gym.Env[Any, Any]], Any]
"""Says what to do now, of an environment that it may look into; a new one for each episode."""


class _BallGame:
    """Brings the middle of its paddle to where the ball will be, by two looks at the memory.

    A paddle moves by about 22 pixels while an action is held: it rests when it is within half of that.
    """

    ball: tuple[int, int]
    """Addresses of the ball's position along the paddle's way, and across it."""
    paddle: int
    """Address of the paddle's position."""
    middle: int
    """The ball's position less the paddle's where it hits its middle."""
    walls: tuple[int, int]
    """Positions at which the ball turns round on its way along."""
    line: int
    """Position across at which the paddle meets it."""
    actions: tuple[str, str]
    """What increases the paddle's position, and what decreases it."""
    serve = "NOOP"
    """What is done while there is no ball."""
    rest = 9

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        game = cast(AtariPixels, env.unwrapped)
        ram, names = game.ram(), game.actions
        along, across = (int(ram[address]) for address in self.ball)
        if self._gone(along, across):
            self._before = None
            return names.index(self.serve)
        before, self._before = self._before, (along, across)
        target = float(along)
        if before is not None:
            speed, approach = along - before[0], across - before[1]
            if 0 < approach < 40 and abs(speed) < 40:  # larger ones are a new ball's
                arrives = along + speed * (self.line - across) / approach
                target = _reflected(arrives, *self.walls)
        away = target - int(ram[self.paddle]) - self.middle
        if abs(away) <= self.rest:
            return names.index("NOOP")
        return names.index(self.actions[away < 0])

    def _gone(self, along: int, across: int) -> bool:
        return along == 0 or across == 0


class Pong(_BallGame):
    """Hardly ever misses; it wins by patience.

    Example:
        >>> env = PixelEnvSpec("pong", steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Pong()(env)  # there is no ball yet
        0
    """

    ball, paddle, middle, walls, line = (54, 49), 51, 7, (44, 207), 188
    actions = ("LEFT", "RIGHT")  # down, up


class Breakout(_BallGame):
    """Loses a ball now and then.

    Example:
        >>> env = PixelEnvSpec("breakout", steps=2).make()
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
    """Always up.

    Example:
        >>> env = PixelEnvSpec("freeway", steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Freeway()(env)
        1
    """

    def __call__(self, env: gym.Env[Any, Any]) -> int:
        return cast(AtariPixels, env.unwrapped).actions.index("UP")


class InvertedPendulum:
    """Linear feedback: pushes the cart to where the pole falls, and slowly home.

    Example:
        >>> env = PixelEnvSpec("InvertedPendulum-v5", steps=2).make()
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
    """Pulls the fingertip to the target by the arm's Jacobian, and brakes.

    Example:
        >>> env = PixelEnvSpec("Reacher-v5", steps=2).make()
        >>> frame, _ = env.reset(seed=0)
        >>> Reacher()(env).shape
        (2,)
    """

    pull, brake = 30.0, 0.08

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        robot = cast(Any, env.unwrapped)
        upper, lower = robot.data.qpos[:2]
        away = (robot.get_body_com("target") - robot.get_body_com("fingertip"))[:2]
        links = np.array([[np.cos(upper), np.sin(upper)], [np.cos(upper + lower), np.sin(upper + lower)]])
        links *= np.array([[0.1], [0.11]])
        jacobian = np.array([[-links[0, 1] - links[1, 1], -links[1, 1]], [links.sum(0)[0], links[1, 0]]])
        torque = self.pull * jacobian.T @ away - self.brake * robot.data.qvel[:2]
        return np.asarray(np.clip(torque, -1, 1), np.float32)


EXPERTS: dict[str, Callable[[], Player]] = {
    "pong": Pong,
    "breakout": Breakout,
    "freeway": Freeway,
    "reacher": Reacher,
    "invertedpendulum": InvertedPendulum,
}


def find_expert(world: PixelEnvSpec) -> Callable[[], Player]:
    """Makes a player for each episode of `world`.

    Raises:
        ValueError: nobody knows how to play there.
    """
    if world.name not in EXPERTS:
        close = get_close_matches(world.name, EXPERTS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ValueError(
            f"`env` must have a scripted expert, as {', '.join(EXPERTS)} have, or a `recording` of one. "
            f"Received {world.env!r}.{hint}"
        )
    return EXPERTS[world.name]


def replay(world: PixelEnvSpec, recording: str | Path, n_episodes: int) -> Iterator[Episode]:
    """The first episodes of a recording as frames, cut as `world` says: states are set and drawn.

    For MuJoCo's runners, whose observations are all positions but the first, and all velocities; that
    one is summed up from its velocity.

    Raises:
        ValueError: observations are not those, or there are too few episodes.
    """
    store = EpisodeStore.load(recording)
    if n_episodes > store.n_episodes:
        raise ValueError(
            f"`episodes` must be at most those of the recording, {store.n_episodes}. Received {n_episodes}."
        )
    env = world.make()
    try:
        robot = cast(Any, env.unwrapped)
        model = getattr(robot, "model", None)
        sizes = (0, 0) if model is None else (model.nq, model.nv)
        if model is None or store.obs.shape[1:] != (sum(sizes) - 1,):
            raise ValueError(
                "`recording` must hold the observations of a runner of MuJoCo, all of its "
                f"{sum(sizes) - 1} positions and velocities but the first. Received {store} for "
                f"{world.env!r}."
            )
        for number in range(n_episodes):
            whole = store.episode(number)
            steps = min(world.steps, len(whole.rew))
            env.reset(seed=number)
            way = np.concatenate([[0.0], np.cumsum(robot.dt * whole.obs[:steps, sizes[0] - 1])])
            frames = []
            for x, obs in zip(way, whole.obs[: steps + 1], strict=True):
                state = np.concatenate([[x], obs]).astype(np.float64)
                robot.set_state(state[: sizes[0]], state[sizes[0] :])
                frames.append(cast(Any, env).observation(None))
            terminated = whole.terminated[:steps]
            truncated = np.zeros(steps, np.bool_)
            truncated[-1] = not terminated[-1]
            yield Episode(np.array(frames), whole.act[:steps], whole.rew[:steps], terminated, truncated)
    finally:
        env.close()


def _reflected(at: float, low: int, high: int) -> float:
    """Where a ball is that turns round at both walls."""
    around = (at - low) % (2 * (high - low))
    return low + min(around, 2 * (high - low) - around)
