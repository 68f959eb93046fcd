"""Frames of MuJoCo's environments with the part that each pixel shows, for segmentation.

`collect_mujoco_masks`  renders random play, twice: in colors and by parts

The store's array `mask` is uint8 [N, height, width]: 0 the sky, 1 the floor, then one class for each
other geom in the model's order; `frame_folders.class_names` has their names.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from rlpriors.data.frame_cache import found, held_actions, publishing
from rlpriors.data.frames import FrameStore
from rlpriors.data.photos.image_folder import NOT_JUDGED
from rlpriors.envs.mujoco.collect import make_mujoco

__all__ = ["collect_mujoco_masks"]

SKY, FLOOR = 0, 1


def collect_mujoco_masks(
    env_id: str,
    frames: int,
    seed: int,
    folder: str | Path,
    size: tuple[int, int] = (64, 64),
    *,
    every: int = 5,
    episode_steps: int = 200,
    camera: str | None = None,
    past_the_end: bool = False,
    progress: bool = True,
) -> FrameStore:
    """Act at random in `env_id` and keep every `every`-th frame with its mask, or open what is there already.

    Actions are held as `collect_mujoco` holds them; episodes end after `episode_steps`, and where the
    environment says so.  With `past_the_end` they go on there: a body that soon falls is else hardly seen
    but as it begins.  Frame and mask are drawn at `size`, from where `collect_mujoco` looks, without
    antialiasing, so that every pixel shows one part only.  What is neither sky nor geom, such as a mark of a
    goal, is 255: not judged.

    Raises:
        ValueError: there is no such environment or camera, it is not MuJoCo's or has too many parts, a
            number is below 1, or `folder` holds something else.
    """
    if min(frames, every, episode_steps) < 1:
        raise ValueError(
            "`frames`, `every` and `episode_steps` must be at least 1. Received "
            f"{frames}, {every}, {episode_steps}."
        )
    folder = Path(folder)
    plan = {"env": env_id, "frames": frames, "seed": seed, "size": list(size), "every": every}
    plan["episode_steps"] = episode_steps
    if camera is not None:
        plan["camera"] = camera
    if past_the_end:
        plan["past_the_end"] = True
    there = found(folder, "masks.json", plan)
    if there is not None:
        return there
    env = make_mujoco(env_id, size, camera)
    if getattr(env.unwrapped, "mujoco_renderer", None) is None:
        raise ValueError(
            f"`env_id` must have a `mujoco_renderer`, as Gymnasium's own have. {env_id} has none."
        )
    names, classes = _classes(env.unwrapped.model)
    chances = np.random.default_rng(seed)
    with (
        publishing(folder, masks=plan, classes=names) as writer,
        tqdm(total=frames, desc=env_id, unit="frame", disable=not progress) as bar,
    ):
        kept = time = 0
        while kept < frames:
            state, _ = env.env.reset(
                seed=int(chances.integers(2**31))
            )  # inside: what is not kept is not drawn
            actions, before = held_actions(env.action_space, chances), kept
            for _ in range(episode_steps):
                if time % every == 0:
                    writer.append(env.observation(state), mask=_mask(env, classes))
                    kept += 1
                    bar.update(1)
                time += 1
                state, _, terminated, truncated, _ = env.env.step(next(actions))
                if truncated or (terminated and not past_the_end) or kept == frames:
                    break
            if kept > before:
                writer.end_episode()
    env.close()
    return FrameStore.open(folder)


def _classes(model: Any) -> tuple[list[str], UInt8[np.ndarray, " geoms"]]:
    """Names of classes, and the class of each geom."""
    import mujoco

    plane = int(getattr(mujoco, "mjtGeom").mjGEOM_PLANE)  # noqa: B009 (compiled: type checkers do not see it)
    names, classes = ["sky", "floor"], np.full(model.ngeom, FLOOR, np.int64)
    for geom in np.flatnonzero(model.geom_type != plane):
        classes[geom] = len(names)
        names.append(model.geom(int(geom)).name or f"geom {geom}")
    if len(names) > NOT_JUDGED:
        raise ValueError(f"`env_id` must have at most {NOT_JUDGED - 2} geoms. It has {len(names) - 2}.")
    return names, classes.astype(np.uint8)


def _mask(env: Any, classes: UInt8[np.ndarray, " geoms"]) -> UInt8[np.ndarray, "height width"]:
    """The class of each pixel, drawn by the renderer that drew the frame.

    Its own `segmentation=True` adds up bytes, which numpy 2 refuses (gymnasium 1.4).
    """
    import mujoco

    kinds = getattr(mujoco, "mjtRndFlag")  # noqa: B009
    flags = [int(kinds.mjRND_SEGMENT), int(kinds.mjRND_IDCOLOR)]
    renderer = env.unwrapped.mujoco_renderer
    scene = renderer.viewer.scn
    scene.flags[flags] = 1
    colors = renderer.viewer.render("rgb_array", camera_id=renderer.camera_id)
    scene.flags[flags] = 0
    shown = colors.astype(np.int64) @ np.array([1, 2**8, 2**16])  # 0, or one more than the part's number
    table = np.full(scene.ngeom + 1, NOT_JUDGED, np.uint8)
    table[0] = SKY
    geom_type = int(getattr(mujoco, "mjtObj").mjOBJ_GEOM)  # noqa: B009
    for part in scene.geoms[: scene.ngeom]:
        if part.segid >= 0 and part.objtype == geom_type:
            table[part.segid + 1] = classes[part.objid]
    return np.asarray(table[np.minimum(shown, scene.ngeom)])
