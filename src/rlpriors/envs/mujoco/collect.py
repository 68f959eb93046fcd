"""Collection of MuJoCo frames with positions and velocities, for probing.

`collect_mujoco`  rendered frames of a random policy in a `FrameStore`
`make_mujoco`     MuJoCo environment with rendered frames for observations

The store has the arrays `qpos`, `qvel`, `act`, `rew`, `terminated` and `truncated`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rlpriors.data.frame_cache import atomic_writer, load_if_matching
from rlpriors.data.frames import FrameStore
from rlpriors.envs.make import make_env
from rlpriors.envs.rollout import iterate_episode, sticky_actions
from rlpriors.wrappers.pixel_observation import PixelObservation

__all__ = ["collect_mujoco", "make_mujoco"]


def collect_mujoco(
    env_id: str,
    n_steps: int,
    seed: int,
    folder: str | Path,
    *,
    image_size: tuple[int, int] = (84, 84),
    max_episode_steps: int = 200,
    camera: str | None = None,
    progress: bool = True,
) -> FrameStore:
    """Collect `n_steps` steps of a random policy in a new store at `folder`, or open a matching one.

    The policy repeats each random action for 1 to 8 steps (`sticky_actions`).

    Args:
        env_id: id of a MuJoCo environment.
        n_steps: number of steps.
        seed: seed of the environment and of the actions.
        folder: folder of the store.
        image_size: height and width of the frames.
        max_episode_steps: number of steps after which an episode is truncated.
        camera: name of a camera of the model; None for the camera of `render`.
        progress: show a progress bar.

    Raises:
        ValueError: there is no such environment or camera, it is not a MuJoCo environment, or `folder` holds
            frames of other settings.
    """
    if n_steps < 1 or max_episode_steps < 1:
        raise ValueError(
            f"`n_steps` and `max_episode_steps` must be at least 1. Received {n_steps}, {max_episode_steps}."
        )
    folder = Path(folder)
    plan = {
        "env": env_id,
        "steps": n_steps,
        "seed": seed,
        "size": list(image_size),
        "episode_steps": max_episode_steps,
    }
    if camera is not None:
        plan["camera"] = camera
    store = load_if_matching(folder, "mujoco.json", plan)
    if store is not None:
        return store
    env = make_mujoco(env_id, image_size, camera)
    rng = np.random.default_rng(seed)
    with (
        atomic_writer(folder, mujoco=plan) as writer,
        tqdm(total=n_steps, desc=env_id, unit="step", disable=not progress) as bar,
    ):
        left = n_steps
        while left:
            frame, _ = env.reset(seed=int(rng.integers(2**31)))
            state, actions = _state(env), sticky_actions(env.action_space, rng)

            def act(obs: Any, actions: Iterator[Any] = actions) -> Any:
                return next(actions)

            for step in iterate_episode(env, frame, act, min(max_episode_steps, left)):
                row = {"act": step.act, "rew": np.float32(step.rew)}
                row |= {"terminated": step.terminated, "truncated": step.truncated}
                writer.append(step.obs, **state, **row)
                frame, state = step.obs_next, _state(env)
                left -= 1
                bar.update(1)
            no_step = {"act": 0 * step.act, "rew": np.float32(0), "terminated": False, "truncated": False}
            writer.append(frame, **state, **no_step)
            writer.end_episode()
    env.close()
    return FrameStore.open(folder)


def _state(env: Any) -> dict[str, np.ndarray]:
    data = env.unwrapped.data
    return {"qpos": data.qpos.astype(np.float32), "qvel": data.qvel.astype(np.float32)}


def make_mujoco(
    env_id: str, image_size: tuple[int, int], camera: str | None = None
) -> PixelObservation[Any, Any]:
    """Return the MuJoCo environment `env_id` with rendered frames of `image_size` for observations.

    `camera` names a camera of the model; None is the camera of `render`.

    Raises:
        ValueError: there is no such environment, it is not a MuJoCo environment, or has no such camera.
    """
    try:
        arguments: dict[str, Any] = {} if camera is None else {"camera_name": camera}
        env: Any = make_env(env_id, render_mode="rgb_array", **arguments)
        if not hasattr(env.unwrapped, "data") or not hasattr(env.unwrapped, "model"):
            raise ValueError("It has no MuJoCo model.")
    except ValueError as error:
        raise ValueError(
            f"`env` must be a MuJoCo environment, such as HalfCheetah-v5. Received {env_id!r}: {error}"
        ) from error
    model = env.unwrapped.model
    cameras = [model.camera(number).name for number in range(model.ncam)]
    if camera is not None and camera not in cameras:
        raise ValueError(f"`camera` must be one of {cameras}, the cameras of {env_id}. Received {camera!r}.")
    return PixelObservation(env, *image_size)
