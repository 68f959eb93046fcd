"""Frames of Atari games that EnvPool steps as one batch.

`collect_envpool_games`  one store for each game, with the arrays of `collect_atari`
`envpool_task`           name of a game in EnvPool

EnvPool is imported when it is used: `pip install envpool`.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.envs.atari.game import MAX_EPISODE_FRAMES, AtariSettings

__all__ = ["collect_envpool_games", "envpool_task"]

CONSOLE_SIZE = (210, 160)


def envpool_task(rom: str) -> str:
    """Return the name of a game in EnvPool, such as "MsPacman-v5" for "ms_pacman".

    Raises:
        ValueError: EnvPool is not installed, or lacks the game.
    """
    try:
        envpool = import_module("envpool")
    except ImportError as error:
        raise ValueError(
            '`collector` must be "ale_py" without EnvPool. Received "envpool"; pip install envpool.'
        ) from error
    tasks = {name.lower(): name for name in envpool.list_all_envs() if name.endswith("-v5")}
    key = rom.replace("_", "").lower() + "-v5"
    if key not in tasks:
        raise ValueError(f'`game` must be one of EnvPool\'s. Received {rom!r}; use `collector="ale_py"`.')
    task: str = tasks[key]
    return task


def collect_envpool_games(
    rom: str,
    shares: Sequence[int],
    seed: int,
    folders: Sequence[Path],
    settings: AtariSettings,
    n_threads: int,
    tick: Callable[[int], Any],
) -> None:
    """Write `shares[i]` steps of game i to the store `folders[i]`; all games step together.

    The stores do not depend on `n_threads`.  `tick` receives the number of finished steps.

    Raises:
        ValueError: as `envpool_task`, or `settings.noop_max` is 0.
    """
    height, width = CONSOLE_SIZE if settings.image_size is None else settings.image_size
    if settings.noop_max < 1:
        raise ValueError(f"`noop_max` must be at least 1 for EnvPool. Received {settings.noop_max}.")
    env = import_module("envpool").make(
        envpool_task(rom),
        env_type="gymnasium",
        num_envs=len(shares),
        num_threads=n_threads,
        seed=int(np.random.default_rng(seed).integers(2**31 - len(shares))),
        stack_num=1,
        frame_skip=settings.frame_skip,
        repeat_action_probability=settings.repeat_action_probability,
        episodic_life=settings.episodic_life,
        use_fire_reset=settings.fire_reset,
        noop_max=settings.noop_max,
        gray_scale=settings.gray,
        img_height=height,
        img_width=width,
        max_episode_steps=MAX_EPISODE_FRAMES // settings.frame_skip,
    )
    rngs = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))) for i in range(len(shares))]
    try:
        with ExitStack() as stack:
            games = [
                _Game(stack.enter_context(FrameWriter(folder)), share, rng, settings)
                for folder, share, rng in zip(folders, shares, rngs, strict=True)
            ]
            n_actions = int(env.single_action_space.n)
            frames, info = env.reset()
            while any(game.left for game in games):
                actions = np.array([game.choose(n_actions) for game in games])
                before, ram = frames, info["ram"]
                frames, rewards, terminated, truncated, info = env.step(actions)
                for i, game in enumerate(games):
                    end = bool(terminated[i]), bool(truncated[i])
                    next_row = (_image(frames[i]), info["ram"][i])
                    tick(game.write((_image(before[i]), ram[i]), float(rewards[i]), end, next_row))
    finally:
        env.close()


class _Game:
    """Policy and store of one game."""

    def __init__(
        self, writer: FrameWriter, n_steps: int, rng: np.random.Generator, settings: AtariSettings
    ) -> None:
        self.writer, self.left, self.rng, self.settings = writer, n_steps, rng, settings
        self.was_done, self.starts, self.action = False, True, 0

    def choose(self, n_actions: int) -> int:
        """Return the next action of the random policy."""
        sticky = self.settings.policy == "sticky" and not self.starts
        if not self.was_done and not (sticky and self.rng.random() < self.settings.stickiness):
            self.action = int(self.rng.integers(n_actions))
        return self.action

    def write(self, row: Any, reward: float, end: tuple[bool, bool], next_row: Any) -> int:
        """Write one step unless it was a reset, and return the number of written steps."""
        if self.was_done or not self.left:  # EnvPool resets a game at the step after its end
            self.was_done, self.starts = False, True
            return 0
        self.left -= 1
        terminated, truncated = end
        truncated = truncated or (not self.left and not terminated)
        flags = {"terminated": terminated, "truncated": truncated}
        self.writer.append(row[0], ram=row[1], act=self.action, rew=np.float32(reward), **flags)
        self.was_done, self.starts = any(end), False
        if terminated or truncated:  # the last frame of the episode, from which no step was taken
            no_step = {"act": 0, "rew": np.float32(0), "terminated": False, "truncated": False}
            self.writer.append(next_row[0], ram=next_row[1], **no_step)
            self.writer.end_episode()
        return 1


def _image(frame: UInt8[np.ndarray, "channels height width"]) -> UInt8[np.ndarray, "height width channels"]:
    return np.ascontiguousarray(frame.transpose(1, 2, 0))
