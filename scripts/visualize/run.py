"""Command `rlpriors visualize`: attention and saliency maps of an encoder over frames.

`visualize`  the command
`heat_maps`  maps of frames by method
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import gymnasium as gym
import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from rlpriors.encoders import ImageEncoder
from rlpriors.encoders.attention import attention_map
from rlpriors.envs.make import make_env
from rlpriors.scripts.visualize.settings import Method, VisualizeSettings
from rlpriors.storage.atomic import write_atomically
from rlpriors.training.run_folder import create_or_resume_run

matplotlib.use("Agg")  # no screen is needed

from matplotlib import pyplot as plt

__all__ = ["heat_maps", "sample_frames", "visualize"]

Frames = UInt8[np.ndarray, "frames height width channels"]


def visualize(settings: VisualizeSettings, *, folder: Path | None = None) -> Path:
    """Draw the maps and return the run's folder.

    Args:
        settings: settings of the command.
        folder: folder of the pictures; `runs/visualize-<env>-<encoder>` by default.

    Raises:
        ValueError: the environment or the encoder is unknown, or the encoder does not have a map.
    """
    encoder = settings.encoder.load(device=settings.device, seed=settings.seed)
    frames = sample_frames(
        settings.env,
        n_frames=settings.n_frames,
        frame_interval=settings.frame_interval,
        image_size=settings.image_size,
        seed=settings.seed,
    )
    maps = heat_maps(encoder, frames, settings.methods)
    name = re.sub(r"[^\w.]+", "-", f"{settings.env}-{settings.encoder.name}").strip("-").lower()
    run = create_or_resume_run(folder or Path("runs") / f"visualize-{name}", settings, resume=False)
    _write_pictures(run, frames, maps, f"{settings.encoder.name} on {settings.env}")
    say = Console(highlight=False, soft_wrap=True).print
    say(f"Maps of {settings.encoder.name}: {', '.join(maps)}.")
    say(f"In TensorBoard: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run / "maps.png"))
    return run


def sample_frames(
    env_id: str, *, n_frames: int, frame_interval: int, image_size: tuple[int, int], seed: int
) -> Frames:
    """Return frames of the environment under random actions, `frame_interval` steps apart.

    Raises:
        ValueError: there is no such environment, or its renderer is not installed.
    """
    env = make_env(env_id, image_size=image_size)
    env.action_space.seed(seed)
    try:
        obs, _ = env.reset(seed=seed)
    except gym.error.DependencyNotInstalled as error:
        raise ValueError(f"`env` {env_id!r} cannot render: {error}") from error
    frames = []
    for _ in range(n_frames):
        for _ in range(frame_interval):
            obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                obs, _ = env.reset()
        frames.append(np.array(obs))  # a copy: some environments render into one array
    env.close()
    return np.stack(frames)


def heat_maps(
    encoder: ImageEncoder, frames: Frames, methods: Sequence[Method] = ()
) -> dict[Method, Float[np.ndarray, "frames height width"]]:
    """Return a map of each frame by each method; by default by all methods that the encoder supports.

    Raises:
        ValueError: the encoder does not support one of `methods`, or no method at all.
    """
    maps: dict[Method, Float[np.ndarray, "frames height width"]] = {}
    unsupported: ValueError | None = None
    for method in methods or get_args(Method):
        try:
            maps[method] = attention_map(encoder, frames, method).cpu().numpy()
        except ValueError as error:
            if methods:
                raise
            unsupported = error
    if not maps and unsupported is not None:
        raise unsupported
    return maps


def _write_pictures(run: Path, frames: Frames, maps: dict[Method, np.ndarray], title: str) -> None:
    """Write `maps.png`, a row for each frame and a column for each method, and the same to TensorBoard."""
    colors = frames if frames.shape[-1] == 3 else frames.repeat(3, axis=-1)
    inferno = matplotlib.colormaps["inferno"]
    columns: dict[str, np.ndarray] = {"frame": colors}
    for method, heat in maps.items():
        mixed = 0.4 * colors + 0.6 * 255 * inferno(heat)[..., :3]
        columns[method] = mixed.round().astype(np.uint8)

    height, width = frames.shape[1:3]
    figure, axes = plt.subplots(
        len(frames),
        len(columns),
        figsize=(2.4 * len(columns), 2.4 * len(frames) * height / width + 0.7),
        layout="constrained",
        squeeze=False,
    )
    for column, (name, images) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(name)
        for axis, image in zip(column, images, strict=True):
            axis.imshow(image)
            axis.set_axis_off()
    figure.suptitle(title)
    write_atomically(run / "maps.png", partial(figure.savefig, format="png", dpi=110))
    plt.close(figure)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for name, images in columns.items():
            writer.add_images(name, images, dataformats="NHWC")
