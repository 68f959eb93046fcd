"""Frames of environments under random actions, for pretraining.

`collect_random_frames`    frames, actions and rewards of any environment
`collect_random_episodes`  whole episodes of a `PixelEnvSpec`
"""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tqdm import tqdm

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import Collector, collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.make import make_env
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.envs.rollout import iterate_episode, random_policy, rollout

__all__ = ["PRETRAINING_SEED_OFFSET", "collect_random_episodes", "collect_random_frames"]

PRETRAINING_SEED_OFFSET = 10_000
"""Number added to the seed of pretraining frames, so that no encoder is trained on the episodes that
`rlpriors probe` collects."""


def collect_random_frames(
    env_id: str,
    n_steps: int,
    folder: Path,
    *,
    seed: int,
    image_size: tuple[int, int],
    gray: bool = False,
    collector: Collector = "ale_py",
) -> FrameStore:
    """Write frames of an environment under random actions to `folder`, or open the store that is there.

    Atari games are collected by `collect_atari`.  Other environments give the image of their observation, or
    are rendered at `image_size`.

    Args:
        env_id: id of the environment.
        n_steps: number of environment steps.
        folder: folder of the store.
        seed: seed of the environment and of the actions.
        image_size: height and width of Atari frames and of rendered frames.
        gray: store Atari frames in gray.
        collector: program that steps Atari games; see `collect_atari`.

    Raises:
        ValueError: there is no such environment.
    """
    if env_id.startswith("ALE/"):
        settings = AtariSettings(gray=gray, image_size=image_size, n_envs=min(8, n_steps))
        return collect_atari(env_id, n_steps, seed, folder, settings, collector=collector)
    if folder.exists():
        return FrameStore.open(folder)
    env = make_env(env_id, image_size=image_size)
    env.action_space.seed(seed)
    left = n_steps
    with FrameWriter(folder) as writer, tqdm(total=n_steps, desc="frames", unit="step") as bar:
        while left:
            obs, _ = env.reset(seed=seed if left == n_steps else None)
            for step in iterate_episode(env, obs, lambda _: env.action_space.sample(), left):
                left -= 1
                row = {"rew": np.float32(step.rew), "terminated": step.terminated}
                row |= {"truncated": step.truncated or not left}
                row |= _action_array(env.action_space, step.act)
                writer.append(np.asarray(step.obs), **row)
                bar.update()
            no_step = {name: np.zeros_like(value) for name, value in row.items()}  # of the last frame
            writer.append(np.asarray(step.obs_next), **no_step)
            writer.end_episode()
    env.close()
    return writer.store


def collect_random_episodes(spec: PixelEnvSpec, n_steps: int, folder: Path, seed: int) -> FrameStore:
    """Write whole random episodes of at least `n_steps` steps to `folder`, or open the store there."""
    if folder.exists():
        return FrameStore.open(folder)
    n_written = 0
    with FrameWriter(folder) as writer:
        for episode in rollout(spec.make, random_policy(seed), n_steps, seed):
            writer.add(episode)
            n_written += len(episode.rew)
            if n_written >= n_steps:
                break
    return writer.store


def _action_array(space: gym.Space[Any], action: Any) -> dict[str, Any]:
    """Return a Discrete or Box action as the array "act"; nothing for other spaces, which no method uses."""
    if isinstance(space, gym.spaces.Discrete):
        return {"act": np.int64(action) - space.start}
    if isinstance(space, gym.spaces.Box):
        return {"act": np.asarray(action, np.float32).reshape(-1)}
    return {}
