"""Frames of MuJoCo's environments with positions and velocities beside them, for probing.

`collect_mujoco`  renders random play into a `FrameStore`
`make_mujoco`     an environment that shows itself

The arrays of the store are `qpos`, `qvel`, `act`, `rew`, `terminated` and `truncated`.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rlpriors.data.frame_cache import found, held_actions, publishing
from rlpriors.data.frames import FrameStore

__all__ = ["collect_mujoco", "make_mujoco"]


def collect_mujoco(
    env_id: str,
    steps: int,
    seed: int,
    folder: str | Path,
    *,
    size: tuple[int, int] = (84, 84),
    episode_steps: int = 200,
    camera: str | None = None,
    progress: bool = True,
) -> FrameStore:
    """Act at random in `env_id` for `steps` steps, or open the store that is at `folder` already.

    Each action holds for 1 to 8 steps, so that more is seen than trembling.  Episodes end after
    `episode_steps`.  `camera` is one of the model's, and by default where `render` looks from.

    Raises:
        ValueError: there is no such environment or camera, it is not MuJoCo's, or `folder` holds something
            else.
    """
    if steps < 1 or episode_steps < 1:
        raise ValueError(
            f"`steps` and `episode_steps` must be at least 1. Received {steps}, {episode_steps}."
        )
    folder = Path(folder)
    plan = {"env": env_id, "steps": steps, "seed": seed, "size": list(size), "episode_steps": episode_steps}
    if camera is not None:
        plan["camera"] = camera
    there = found(folder, "mujoco.json", plan)
    if there is not None:
        return there
    env = make_mujoco(env_id, size, camera)
    chances = np.random.default_rng(seed)
    with (
        publishing(folder, mujoco=plan) as writer,
        tqdm(total=steps, desc=env_id, unit="step", disable=not progress) as bar,
    ):
        done = 0
        while done < steps:
            frame, _ = env.reset(seed=int(chances.integers(2**31)))
            actions, action = held_actions(env.action_space, chances), np.zeros(0, np.float32)
            for step in range(min(episode_steps, steps - done)):
                action = next(actions)
                seen, state = frame, _state(env)
                frame, rew, terminated, truncated, _ = env.step(action)
                done += 1
                truncated = bool(truncated) or (
                    not terminated and (step + 1 == episode_steps or done == steps)
                )
                row = {"act": action, "rew": np.float32(rew)}
                writer.append(seen, **state, **row, terminated=bool(terminated), truncated=truncated)
                bar.update(1)
                if terminated or truncated:
                    break
            nothing = {"act": 0 * action, "rew": np.float32(0), "terminated": False, "truncated": False}
            writer.append(frame, **_state(env), **nothing)
            writer.end_episode()
    env.close()
    return FrameStore.open(folder)


def _state(env: Any) -> dict[str, np.ndarray]:
    data = env.unwrapped.data
    return {"qpos": data.qpos.astype(np.float32), "qvel": data.qvel.astype(np.float32)}


def make_mujoco(env_id: str, size: tuple[int, int], camera: str | None = None) -> Any:
    """`env_id` with frames of `size` as its observations, seen from where it stands or by `camera`.

    Raises:
        ValueError: there is no such environment, it is not MuJoCo's, or has no such camera.
    """
    if sys.platform == "linux":  # before mujoco is imported: draws without a screen
        os.environ.setdefault("MUJOCO_GL", "egl")
    import gymnasium as gym

    from rlpriors.wrappers.pixel_observation import PixelObservation

    try:
        seen_by: dict[str, Any] = {} if camera is None else {"camera_name": camera}
        env: Any = gym.make(env_id, render_mode="rgb_array", **seen_by)
        if not hasattr(env.unwrapped, "data") or not hasattr(env.unwrapped, "model"):
            raise ValueError("it is not MuJoCo's")
    except (gym.error.Error, ImportError, ValueError, TypeError) as error:
        raise ValueError(
            f"`env` must be a MuJoCo environment, such as HalfCheetah-v5. Received {env_id!r}: {error}"
        ) from error
    model = env.unwrapped.model
    known = [model.camera(number).name for number in range(model.ncam)]
    if camera is not None and camera not in known:
        raise ValueError(f"`camera` must be one of {env_id}'s: {known}. Received {camera!r}.")
    return PixelObservation(env, *size)
