"""Rendered episodes of a policy over its training, as animated GIFs.

`EpisodeFilm`  films of a policy, a few over a training
`open_film`    films in an environment that renders, None in others
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import UInt8
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.env import DummyVectorEnv

from rlpriors.training.rollout import temporary_seed
from rlpriors.training.tracking.animation import gif_bytes, square
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["EpisodeFilm", "open_film"]

logger = logging.getLogger(__name__)

SIZE, FPS, MOST_STEPS = 240, 10, 1000


class EpisodeFilm:
    """Films of a policy over its training: each is the first steps of an episode without exploration.

    Filming does not change the training: it has an environment and random numbers of its own.  If rendering
    fails, or takes longer than `seconds`, a warning gives the reason, and no further film follows.

    Args:
        env: environment with `render_mode="rgb_array"` and the policy's observations, which is closed.
        length: number of environment steps of the training.
        n_films: number of films, spread evenly over the training.
        n_frames: number of pictures of a film, spread evenly over the episode.
        seconds: time limit of one film.
        seed: seed of the episode, which is the same in each film.

    Raises:
        ValueError: an argument is out of its bounds.

    Example:
        >>> film = EpisodeFilm(gym.make("Pendulum-v1", render_mode="rgb_array"), length=1000, n_films=3)
        >>> film.interval
        500.0
        >>> film.close()
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        length: int,
        n_films: int = 4,
        n_frames: int = 40,
        seconds: float = 20.0,
        seed: int = 0,
    ) -> None:
        for name, value in (("length", length), ("n_films", n_films), ("n_frames", n_frames)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {value}.")
        self.interval = length / max(1, n_films - 1)
        self.n_frames, self.seconds, self.seed = n_frames, seconds, seed
        self.env = DummyVectorEnv([lambda: env])
        self._next, self._has_failed = 0.0, False

    def add(self, policy: Policy, step: int, writer: RunWriter) -> None:
        """Write a film of the policy to the tag `episodes/policy` if one is due at a step."""
        if self._has_failed or step < self._next - 1e-6:
            return
        self._next = (int(step / self.interval + 1e-6) + 1) * self.interval
        try:
            frames = self._film(policy)
        except Exception as error:  # packages and drivers of rendering raise errors of many kinds
            self._stop(f"{type(error).__name__}: {error}")
        else:
            writer.animation("episodes/policy", gif_bytes(frames, fps=FPS), step)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _stop(self, reason: str) -> None:
        self._has_failed = True
        logger.warning("Episodes are not filmed: %s (--films 0 switches films off)", reason)

    def _film(self, policy: Policy) -> list[UInt8[np.ndarray, "size size 3"]]:
        started, every = time.monotonic(), 1
        frames: list[np.ndarray] = []
        was_training = policy.is_within_training_step
        policy.is_within_training_step = False
        try:
            with temporary_seed(np.random.SeedSequence(self.seed), self.env), torch.no_grad():
                obs, infos = self.env.reset()
                for step in range(MOST_STEPS):
                    if step % every == 0:
                        frames.append(square(np.asarray(self.env.render()[0], np.uint8), SIZE))
                    if len(frames) == 2 * self.n_frames:
                        frames, every = frames[::2], 2 * every
                    out = policy(Batch(obs=obs, info=Batch(list(infos))))
                    obs, _, terminated, truncated, infos = self.env.step(policy.map_action(out.act))
                    if terminated[0] or truncated[0]:
                        break
                    if time.monotonic() - started > self.seconds:
                        self._stop(f"rendering took longer than {self.seconds:g} seconds")
                        break
        finally:
            policy.is_within_training_step = was_training
        return frames[:: -(-len(frames) // self.n_frames)]


def open_film(make: Callable[[], gym.Env[Any, Any]], *, n_films: int, **options: Any) -> EpisodeFilm | None:
    """Return films in an environment; None for no films, or if it does not render.

    Args:
        make: function that makes the environment with `render_mode="rgb_array"`.
        n_films: number of films.
        options: further arguments of `EpisodeFilm`.
    """
    if not n_films:
        return None
    try:
        env = make()
    except ValueError:  # it takes no render mode; another fault appears when the training makes it
        return None
    if "rgb_array" not in (env.metadata.get("render_modes") or ()):
        env.close()
        return None
    return EpisodeFilm(env, n_films=n_films, **options)
