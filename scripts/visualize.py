"""What an encoder looks at in an environment, as pictures: `rlpriors look`."""

import os
import re
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:  # imported when used: the command's help shall not wait for torch
    import gymnasium as gym
    import numpy as np
    from jaxtyping import Float, UInt8

    from rlpriors.encoders import ImageEncoder

__all__ = ["VisualizeSettings", "look"]

Method = Literal["attention", "rollout", "energy", "saliency"]


@dataclass(frozen=True)
class VisualizeSettings:
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
    """Height and width at which an environment whose observation holds no image is rendered."""

    input_size: tuple[int, int] | None = None
    """Height and width that the network sees; larger shows finer patches."""

    seed: int = 0
    """Of the environment, the actions, and random weights, where there are any."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    allow_noncommercial: bool = False
    """Agree to a license that forbids commercial use, or to terms of a gated model."""

    trust_remote_code: bool = False
    """Agree to run code that comes with the weights."""

    def __post_init__(self) -> None:
        for name in ("frames", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")


def look(settings: VisualizeSettings, *, folder: Path | None = None) -> Path:
    """Write the pictures and return the run's folder; `runs/look-<env>-<encoder>` by default."""
    from rich.console import Console

    from rlpriors.encoders import load_encoder
    from rlpriors.training.run_folder import create_or_resume_run

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
    run = create_or_resume_run(folder or Path("runs") / f"look-{name}", settings, resume=False)
    write_pictures(run, frames, maps, f"{settings.encoder} on {settings.env}")
    say = Console(highlight=False, soft_wrap=True).print
    say(f"What {settings.encoder} looks at: {', '.join(maps)}.")
    say(f"In TensorBoard: tensorboard --logdir {run / 'tensorboard'}")
    say(str(run / "look.png"))
    return run


def collect(settings: VisualizeSettings) -> "UInt8[np.ndarray, 'frames height width channels']":
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
    """The environment of that id, with images [height, width, channels] for observations.

    They are the one image that its observation is or, as a dictionary, holds; of a stack of frames the
    last.  Where there is none it is rendered, at `size`.

    Raises:
        ValueError: there is no such environment, it needs something that is not installed, its
            observation holds several images or one whose axes cannot be told, or it neither shows an
            image nor draws itself.
    """
    import gymnasium as gym
    import numpy as np

    from rlpriors.wrappers.image_spaces import find_images, image_names
    from rlpriors.wrappers.pixel_observation import PixelObservation

    env = _make(name)
    names = image_names(env.observation_space)
    if len(names) > 1:
        raise ValueError(
            f"`env` must have one image in its observation. Received {name!r}, which has {', '.join(names)}; "
            "register it in a wrapper that keeps one, such as gymnasium.wrappers.FilterObservation."
        )
    if not names:
        if env.render_mode != "rgb_array":
            raise ValueError(
                f'`env` must have an image in its observation, or be made with render_mode="rgb_array". '
                f"Received {name!r}, which shows {env.observation_space} and takes no such mode; give it "
                "one of both."
            )
        return PixelObservation(env, *size)
    try:
        (leaf,) = find_images(env.observation_space, None, None, channels=3)
    except ValueError as error:
        raise ValueError(
            "`env` must show images of 1 or 3 channels, [height, width, channels]. Received "
            f"{name!r}, which shows {env.observation_space}; register it in a wrapper that brings them to "
            "this shape."
        ) from error
    if not leaf.path and leaf.layout == "HWC":
        return env
    height, width = (leaf.space.shape[leaf.layout.index(axis)] for axis in "HW")
    shown = gym.spaces.Box(0, 255, (height, width, leaf.channels), np.uint8)
    return gym.wrappers.TransformObservation(env, lambda obs: leaf.frames(leaf.pick(obs)[None])[0, -1], shown)


def _make(name: str) -> "gym.Env[Any, Any]":
    """As it is; able to draw, if it can."""
    import gymnasium as gym

    if sys.platform == "linux":  # before mujoco is imported: draws without a screen
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        if name not in gym.registry and ":" not in name:  # these register their ids when imported
            gym.register_envs(import_module("ale_py" if name.startswith("ALE/") else "gymnasium_robotics"))
        with warnings.catch_warnings():  # of those that cannot draw, which matters only if they must
            warnings.filterwarnings("ignore", message=".*render_mode")
            try:
                return gym.make(name, render_mode="rgb_array")
            except TypeError as error:
                if "render_mode" not in str(error):
                    raise
                return gym.make(name)
    except (gym.error.Error, ImportError) as error:
        raise ValueError(
            f"`env` must be a Gymnasium id, or <module>:<id>. Received {name!r}: {error}"
        ) from error


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

    colors = frames if frames.shape[-1] == 3 else frames.repeat(3, axis=-1)
    inferno = matplotlib.colormaps["inferno"]
    pictures = {"frame": colors}
    for method, heat in maps.items():
        mixed = 0.4 * colors + 0.6 * 255 * inferno(heat)[..., :3]
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
