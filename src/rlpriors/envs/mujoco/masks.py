"""Segmentation masks of MuJoCo environments.

`collect_mujoco_masks`  frames of a random policy, rendered in color and by geom

The store's array `mask` is uint8 [N, height, width]: 0 is the sky, 1 the floor, then one class for each other
geom in the model's order; `rlpriors.data.frame_cache.class_names` returns their names.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from rlpriors.data.frame_cache import atomic_writer, load_if_matching
from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.image_folder import IGNORE_INDEX
from rlpriors.envs.mujoco.collect import make_mujoco
from rlpriors.envs.rollout import sticky_actions

__all__ = ["collect_mujoco_masks"]

SKY, FLOOR = 0, 1


def collect_mujoco_masks(
    env_id: str,
    n_frames: int,
    seed: int,
    folder: str | Path,
    image_size: tuple[int, int] = (64, 64),
    *,
    frame_interval: int = 5,
    max_episode_steps: int = 200,
    camera: str | None = None,
    continue_after_termination: bool = False,
    progress: bool = True,
) -> FrameStore:
    """Collect `n_frames` frames with masks in a new store at `folder`, or open a matching one.

    The policy repeats each random action for 1 to 8 steps (`sticky_actions`).  Frames and masks are rendered
    without antialiasing, so that each pixel shows one geom.  Pixels that show neither sky nor a geom, such as
    the mark of a goal, have the value 255 (ignored).

    Args:
        env_id: id of a MuJoCo environment.
        n_frames: number of frames.
        seed: seed of the environment and of the actions.
        folder: folder of the store.
        image_size: height and width of frames and masks.
        frame_interval: number of steps between two frames.
        max_episode_steps: number of steps after which an episode is truncated.
        camera: name of a camera of the model; None for the camera of `render`.
        continue_after_termination: do not end episodes where the environment terminates.  Without it, frames
            of a body that soon falls show little but its first steps.
        progress: show a progress bar.

    Raises:
        ValueError: there is no such environment or camera, it is not a MuJoCo environment or has too many
            geoms, a number is below 1, or `folder` holds frames of other settings.
    """
    if min(n_frames, frame_interval, max_episode_steps) < 1:
        raise ValueError(
            "`n_frames`, `frame_interval` and `max_episode_steps` must be at least 1. Received "
            f"{n_frames}, {frame_interval}, {max_episode_steps}."
        )
    folder = Path(folder)
    plan = {
        "env": env_id,
        "frames": n_frames,
        "seed": seed,
        "size": list(image_size),
        "every": frame_interval,
        "episode_steps": max_episode_steps,
    }
    if camera is not None:
        plan["camera"] = camera
    if continue_after_termination:
        plan["past_the_end"] = True
    store = load_if_matching(folder, "masks.json", plan)
    if store is not None:
        return store
    env: Any = make_mujoco(env_id, image_size, camera)
    if getattr(env.unwrapped, "mujoco_renderer", None) is None:
        raise ValueError(
            f"`env_id` must have a `mujoco_renderer`, as Gymnasium's own have. {env_id} has none."
        )
    names, classes = _classes(env.unwrapped.model)
    rng = np.random.default_rng(seed)
    with (
        atomic_writer(folder, masks=plan, classes=names) as writer,
        tqdm(total=n_frames, desc=env_id, unit="frame", disable=not progress) as bar,
    ):
        n_written = time = 0
        while n_written < n_frames:
            # Steps of the inner environment render nothing; only the stored frames are rendered.
            state, _ = env.env.reset(seed=int(rng.integers(2**31)))
            actions, n_before = sticky_actions(env.action_space, rng), n_written
            for _ in range(max_episode_steps):
                if time % frame_interval == 0:
                    writer.append(env.observation(state), mask=_mask(env, classes))
                    n_written += 1
                    bar.update(1)
                time += 1
                state, _, terminated, truncated, _ = env.env.step(next(actions))
                done = truncated or (terminated and not continue_after_termination)
                if done or n_written == n_frames:
                    break
            if n_written > n_before:
                writer.end_episode()
    env.close()
    return FrameStore.open(folder)


def _classes(model: Any) -> tuple[list[str], UInt8[np.ndarray, " geoms"]]:
    """Return the names of the classes, and the class of each geom."""
    import mujoco

    plane = int(getattr(mujoco, "mjtGeom").mjGEOM_PLANE)  # noqa: B009 (compiled: type checkers do not see it)
    names, classes = ["sky", "floor"], np.full(model.ngeom, FLOOR, np.int64)
    for geom in np.flatnonzero(model.geom_type != plane):
        classes[geom] = len(names)
        names.append(model.geom(int(geom)).name or f"geom {geom}")
    if len(names) > IGNORE_INDEX:
        raise ValueError(f"`env_id` must have at most {IGNORE_INDEX - 2} geoms. It has {len(names) - 2}.")
    return names, classes.astype(np.uint8)


def _mask(env: Any, classes: UInt8[np.ndarray, " geoms"]) -> UInt8[np.ndarray, "height width"]:
    """Return the class of each pixel, rendered by the renderer of the frame.

    The renderer's own `segmentation=True` adds up bytes, which numpy 2 refuses (gymnasium 1.4).
    """
    import mujoco

    kinds = getattr(mujoco, "mjtRndFlag")  # noqa: B009
    flags = [int(kinds.mjRND_SEGMENT), int(kinds.mjRND_IDCOLOR)]
    renderer = env.unwrapped.mujoco_renderer
    scene = renderer.viewer.scn
    scene.flags[flags] = 1
    colors = renderer.viewer.render("rgb_array", camera_id=renderer.camera_id)
    scene.flags[flags] = 0
    segment = colors.astype(np.int64) @ np.array([1, 2**8, 2**16])  # 0, or 1 + the segment id
    table = np.full(scene.ngeom + 1, IGNORE_INDEX, np.uint8)
    table[0] = SKY
    geom_type = int(getattr(mujoco, "mjtObj").mjOBJ_GEOM)  # noqa: B009
    for geom in scene.geoms[: scene.ngeom]:
        if geom.segid >= 0 and geom.objtype == geom_type:
            table[geom.segid + 1] = classes[geom.objid]
    return np.asarray(table[np.minimum(segment, scene.ngeom)])
