"""What an encoder looks at in an environment, as pictures: `rlpriors look`."""

import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:  # imported when used: the command's help shall not wait for torch
    import gymnasium as gym
    import numpy as np
    from jaxtyping import Float, UInt8

    from rlpriors.encoders import ImageEncoder

__all__ = ["LookSettings", "look"]

Method = Literal["attention", "rollout", "energy", "saliency"]


@dataclass(frozen=True)
class LookSettings:
    """What `rlpriors look` does."""

    env: str
    """A Gymnasium id, such as ALE/Pong-v5, or <module>:<id>."""

    encoder: str
    """A name such as dinov2-small, timm:<id>, hf:<id>, or the folder of a saved encoder."""

    weights: str = "auto"
    """"auto" for the published ones, a file, or "none" for a random start."""

    frames: int = 4
    """Frames to look at."""

    every: int = 30
    """Steps of random actions between them."""

    methods: tuple[Method, ...] = ()
    """attention, rollout, energy, saliency; by default all that the encoder can give."""

    size: tuple[int, int] = (224, 224)
    """Height and width at which an environment whose observations are no images is rendered."""

    input_size: tuple[int, int] | None = None
    """Height and width that the network sees; larger shows finer patches."""

    seed: int = 0
    """Of the environment, the actions, and random weights, where there are any."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    allow_noncommercial: bool = False
    """Agree to a licence that forbids commercial use, or to terms of a gated model."""

    trust_remote_code: bool = False
    """Agree to run code that comes with the weights."""

    def __post_init__(self) -> None:
        for name in ("frames", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")


def look(settings: LookSettings, *, folder: Path | None = None) -> Path:
    """Write the pictures and return the run's folder; `runs/look-<env>-<encoder>` by default."""
    from rich.console import Console

    from rlpriors.encoders import load_encoder
    from rlpriors.scripts.runs import open_run

    encoder = load_encoder(
        settings.encoder,
        weights=settings.weights,
        device=settings.device,
        allow_noncommercial=settings.allow_noncommercial,
        trust_remote_code=settings.trust_remote_code,
        input_size=settings.input_size,
        seed=settings.seed,
    )
    frames = collect(settings)
    maps = heat_maps(encoder, frames, settings.methods)
    name = re.sub(r"[^\w.]+", "-", f"{settings.env}-{settings.encoder}").strip("-").lower()
    run = open_run(folder or Path("runs") / f"look-{name}", settings, resume=False)
    write_pictures(run, frames, maps, f"{settings.encoder} on {settings.env}")
    say = Console(highlight=False, soft_wrap=True).print
    say(f"What {settings.encoder} looks at: {', '.join(maps)}.")
    say(f"In TensorBoard: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run / "look.png"))
    return run


def collect(settings: LookSettings) -> "UInt8[np.ndarray, 'frames height width channels']":
    """Frames of the environment under random actions.

    Raises:
        ValueError: there is no such environment, or it cannot draw without what is not installed.
    """
    import gymnasium as gym
    import numpy as np

    env = make_env(settings.env, settings.size)
    env.action_space.seed(settings.seed)
    try:
        obs, _ = env.reset(seed=settings.seed)
    except gym.error.DependencyNotInstalled as error:
        raise ValueError(f"`env` {settings.env!r} cannot draw: {error}") from error
    frames = []
    while True:
        for _ in range(settings.every):
            obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                obs, _ = env.reset()
        frames.append(np.array(obs))  # a copy: some environments draw into the same array
        if len(frames) == settings.frames:
            env.close()
            return np.stack(frames)


def make_env(name: str, size: tuple[int, int]) -> "gym.Env[Any, Any]":
    """The environment of that id, with images for observations.

    Raises:
        ValueError: there is none, or it needs something that is not installed.
    """
    import gymnasium as gym
    import numpy as np

    from rlpriors.wrappers.pixels import PixelObservation

    if sys.platform == "linux":  # before mujoco is imported: draws without a screen
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        if name not in gym.registry and ":" not in name:  # these register their ids when imported
            gym.register_envs(import_module("ale_py" if name.startswith("ALE/") else "gymnasium_robotics"))
        env = gym.make(name, render_mode="rgb_array")
    except (gym.error.Error, ImportError) as error:
        raise ValueError(
            f"`env` must be a Gymnasium id, or <module>:<id>. Received {name!r}: {error}"
        ) from error
    space = env.observation_space
    image = (
        isinstance(space, gym.spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) == 3
        and space.shape[2] in (1, 3)
    )
    return env if image else PixelObservation(env, *size)


def heat_maps(
    encoder: "ImageEncoder", frames: "np.ndarray", methods: tuple[Method, ...] = ()
) -> "dict[str, Float[np.ndarray, 'frames height width']]":
    """A map of each frame by each method; without `methods` by all that the encoder can give.

    Raises:
        ValueError: the encoder cannot give one of `methods`, or none at all.
    """
    from rlpriors.encoders.attention import attention_map

    maps = {}
    refused: ValueError | None = None
    for method in methods or get_args(Method):
        try:
            maps[method] = attention_map(encoder, frames, method).cpu().numpy()
        except ValueError as error:
            if methods:
                raise
            refused = error
    if not maps and refused is not None:
        raise refused
    return maps


def write_pictures(run: Path, frames: "np.ndarray", maps: "dict[str, np.ndarray]", title: str) -> None:
    """`look.png`, a row for each frame and a column for each method, and the same to TensorBoard."""
    from functools import partial

    import matplotlib
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

    from rlpriors.checkpoint import write_atomically

    matplotlib.use("Agg")  # no screen is needed
    from matplotlib import pyplot as plt

    colours = frames if frames.shape[-1] == 3 else frames.repeat(3, axis=-1)
    inferno = matplotlib.colormaps["inferno"]
    pictures = {"frame": colours}
    for method, heat in maps.items():
        mixed = 0.4 * colours + 0.6 * 255 * inferno(heat)[..., :3]
        pictures[method] = mixed.round().astype(np.uint8)

    rows, columns = len(frames), len(pictures)
    height, width = frames.shape[1:3]
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(2.4 * columns, 2.4 * rows * height / width + 0.7),
        layout="constrained",
        squeeze=False,
    )
    for ax, (method, images) in zip(axes.T, pictures.items(), strict=True):
        ax[0].set_title(method)
        for place, image in zip(ax, images, strict=True):
            place.imshow(image)
            place.set_axis_off()
    figure.suptitle(title)
    write_atomically(run / "look.png", partial(figure.savefig, format="png", dpi=110))
    plt.close(figure)
    with SummaryWriter(str(run / "tensorboard")) as writer:
        for method, images in pictures.items():
            writer.add_images(method, images, dataformats="NHWC")
