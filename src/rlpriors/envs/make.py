"""Environments by their id.

`make_env`       an installed environment, with its own observations or with images
`show_images`    an environment with images for observations
`register_envs`  registration of the ids that other packages provide
"""

import os
import sys
import warnings
from contextlib import redirect_stderr
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.envs.catch import CATCH_ID
from rlpriors.envs.deep_sea import DEEP_SEA_ID
from rlpriors.extras import missing_extra
from rlpriors.settings import fit_value

__all__ = ["make_env", "register_envs", "show_images"]

OWN_ENVS = {CATCH_ID: "rlpriors.envs.catch:Catch", DEEP_SEA_ID: "rlpriors.envs.deep_sea:DeepSea"}
"""Entry points of the environments of this library, by their ids."""


def make_env(
    env_id: str, *, image_size: tuple[int, int] | None = None, **arguments: Any
) -> gym.Env[Any, Any]:
    """Return the environment `env_id`, after registering the package that provides it.

    Args:
        env_id: the id of an installed environment, such as "Reacher-v5", or "DeepSea-v0" or "Catch-v0",
            which are of this library.  "ALE/..." registers ale_py and another unknown id registers
            gymnasium_robotics; "module:Id-v0" imports the module first.
        image_size: None leaves the observations unchanged.  (height, width) returns images [height, width,
            channels] for observations, as `show_images` does; the environment is made with
            `render_mode="rgb_array"` if it takes a render mode.
        arguments: arguments of `gym.make`, such as `max_episode_steps` or `render_mode`.  On Linux,
            `render_mode="rgb_array"` sets the variable `MUJOCO_GL` to "egl" if it is unset, so that MuJoCo
            renders without a screen.

    Raises:
        ValueError: no such environment is installed, it needs a package that is not installed, it does not
            take `arguments`, or its images do not fit (see `show_images`).

    Example:
        >>> make_env("CartPole-v1", max_episode_steps=7).spec.max_episode_steps
        7
    """
    if "max_episode_steps" in arguments:
        steps = fit_value("max_episode_steps", arguments["max_episode_steps"], int | None)
        if steps is not None and steps < 1 and steps != -1:
            raise ValueError(
                f"`max_episode_steps` must be at least 1, or -1 for episodes without limit. Received {steps}."
            )
        arguments["max_episode_steps"] = steps
    if image_size is not None:
        arguments.setdefault("render_mode", "rgb_array")
    if arguments.get("render_mode") == "rgb_array" and sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")  # read when mujoco is imported
    try:
        register_envs(env_id)
        with warnings.catch_warnings():
            # Gymnasium warns of environments that do not render; `show_images` checks what was made.
            warnings.filterwarnings("ignore", message=".*render_mode")
            try:
                env: gym.Env[Any, Any] = gym.make(env_id, **arguments)
            except TypeError as error:
                if image_size is None or "render_mode" not in str(error):
                    raise
                del arguments["render_mode"]  # an environment whose observations may be images already
                env = gym.make(env_id, **arguments)
    except (gym.error.Error, ImportError) as error:
        raise ValueError(
            f"`env` must be the id of an installed environment. Received {env_id!r}: {error} Install the "
            'package that provides it, or write "module:Id-v0" for an id that a module registers on import.'
            + _maze_hint(env_id)
        ) from error
    except TypeError as error:
        raise ValueError(f"`env` {env_id!r} does not take the arguments {arguments}: {error}") from error
    return env if image_size is None else show_images(env, image_size)


def show_images(env: gym.Env[Any, Any], image_size: tuple[int, int]) -> gym.Env[Any, Any]:
    """Return `env` with uint8 images [height, width, channels] for observations.

    The image is the observation itself or the one image of a Dict observation, at its own size; the last
    frame of a frame stack.  An environment without an image in its observation is rendered at `image_size`.

    Raises:
        ValueError: the observation has several images, or an image of other axes or channels, or it has no
            image and `env` was not made with `render_mode="rgb_array"`.
    """
    from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
    from rlpriors.wrappers.images.image_spaces import find_images, image_names
    from rlpriors.wrappers.pixel_observation import PixelObservation

    env_id = str(env.unwrapped) if env.spec is None else env.spec.id
    names = image_names(env.observation_space)
    if len(names) > 1:
        raise ValueError(
            f"`env` must have one image in its observation. Received {env_id!r}, which has "
            f"{', '.join(names)}; register it in a wrapper that keeps one, such as "
            "gymnasium.wrappers.FilterObservation."
        )
    if not names:
        if env.render_mode != "rgb_array":
            raise ValueError(
                '`env` must have an image in its observation, or be made with render_mode="rgb_array". '
                f"Received {env_id!r}, which has the observation space {env.observation_space} and takes no "
                "such mode; add an image or the render mode."
            )
        return PixelObservation(env, *image_size)
    try:
        (leaf,) = find_images(env.observation_space, None, None, channels=3, is_stack=observes_stack(env))
    except ValueError as error:
        raise ValueError(
            "`env` must have images of 1 or 3 channels, [height, width, channels]. Received "
            f"{env_id!r}, which has the observation space {env.observation_space}; register it in a wrapper "
            f"that converts them to this shape. {error}"
        ) from error
    if not leaf.path and leaf.layout == "HWC":
        return env
    space = gym.spaces.Box(0, 255, (*leaf.image_size, leaf.channels), np.uint8)

    def image(obs: Any) -> np.ndarray:
        return np.asarray(leaf.frames(leaf.select(obs)[None])[0, -1])  # of (1, T, H, W, C)

    return gym.wrappers.TransformObservation(env, image, space)


def _maze_hint(env_id: str) -> str:
    """Return how to install the environments of gymnasium_robotics, if the id may be one of them."""
    if ":" in env_id or "/" in env_id or find_spec("gymnasium_robotics") is not None:
        return ""
    return " " + missing_extra("Mazes and MuJoCo's robots need gymnasium_robotics and mujoco", "maze")


def register_envs(env_id: str) -> None:
    """Register the package that provides `env_id`, if Gymnasium does not have the id yet.

    "DeepSea-v0" and "Catch-v0" are this library's own.  "ALE/..." is in ale_py; gymnasium_robotics is tried
    for another unknown id.  "module:Id-v0" is left to `gym.make`.

    Raises:
        ImportError: ale_py is not installed.
    """
    if ":" in env_id or env_id in gym.registry:
        return
    if env_id in OWN_ENVS:
        gym.register(env_id, OWN_ENVS[env_id])
        return
    if env_id.startswith("ALE/"):
        try:
            gym.register_envs(import_module("ale_py"))
        except ImportError as error:
            raise ImportError(missing_extra("Atari games need the emulator ale_py", "atari")) from error
        return
    try:
        with redirect_stderr(StringIO()):  # it prints news about other environments when imported
            gym.register_envs(import_module("gymnasium_robotics"))
    except ImportError:
        pass
