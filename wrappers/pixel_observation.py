"""Wrapper that replaces an environment's observations by rendered frames.

`PixelObservation`  small frames, rendered fast in MuJoCo
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.core import ActType, ObsType
from jaxtyping import UInt8
from PIL import Image

from rlpriors.arguments import check_arguments

__all__ = ["PixelObservation"]


class PixelObservation(gym.ObservationWrapper[Any, ActType, ObsType], gym.utils.RecordConstructorArgs):
    """Wrapper that replaces each observation by the rendered frame: uint8 [height, width, 3].

    With `keep_state` the observation is a Dict of this frame under "pixels" and the environment's own
    observation under "state".

    A MuJoCo environment that has not rendered yet renders at this size; frames of another size are
    resized (bilinear, antialiased).  `fast` switches off MuJoCo's shadows, reflections, sky and
    multisampling, which take most of the rendering time.  The switch applies to all rendering of this
    environment, recorded videos included.

    Any environment with `render_mode="rgb_array"` is supported.  Gray frames become three equal channels,
    and alpha is dropped.  A forked worker process hangs in EGL if
    its parent has rendered before: pass `context="spawn"` to AsyncVectorEnv in this case.

    Raises:
        ValueError: another render mode, or a size below 1 or of 2**15 and more.
        RuntimeError: MuJoCo cannot render (the message names the variable to set).
        TypeError: `render` does not return a uint8 frame.

    Example:
        >>> class Dusk(gym.Env):
        ...     observation_space, action_space = gym.spaces.Discrete(256), gym.spaces.Discrete(2)
        ...     render_mode = "rgb_array"
        ...     def reset(self, *, seed=None, options=None):
        ...         self.light = 255
        ...         return self.light, {}
        ...     def render(self):
        ...         return np.full((48, 64, 3), self.light, np.uint8)
        >>> env = PixelObservation(Dusk(), height=12, width=16, keep_state=True)
        >>> obs, _ = env.reset()
        >>> obs["pixels"].shape, obs["state"]
        ((12, 16, 3), 255)
    """

    @check_arguments
    def __init__(
        self,
        env: gym.Env[ObsType, ActType],
        height: int,
        width: int,
        *,
        fast: bool = True,
        keep_state: bool = False,
    ) -> None:
        if min(height, width) < 1:
            raise ValueError(f"`height` and `width` must be at least 1. Received {height} and {width}.")
        if max(height, width) >= 2**15:
            raise ValueError(f"`height` and `width` must be below 2**15. Received {height} and {width}.")
        if env.render_mode != "rgb_array":
            raise ValueError(
                f'`env.render_mode` must be "rgb_array". Received {env.render_mode!r}; create the '
                'environment with it, for example gym.make(..., render_mode="rgb_array").'
            )
        gym.utils.RecordConstructorArgs.__init__(
            self, height=height, width=width, fast=fast, keep_state=keep_state
        )
        gym.ObservationWrapper.__init__(self, env)
        self.height, self.width, self.fast, self.keep_state = height, width, fast, keep_state
        pixels = gym.spaces.Box(0, 255, (height, width, 3), np.uint8)
        self.observation_space = (
            gym.spaces.Dict({"pixels": pixels, "state": env.observation_space}) if keep_state else pixels
        )

    def observation(self, observation: ObsType) -> Any:
        pixels = self._frame()
        return {"pixels": pixels, "state": observation} if self.keep_state else pixels

    def _frame(self) -> UInt8[np.ndarray, "height width 3"]:
        renderer = _mujoco_renderer(self.env.unwrapped)
        frame: Any = self.env.render() if renderer is None else self._render_mujoco(renderer)
        is_frame = isinstance(frame, np.ndarray) and frame.dtype == np.uint8
        if not is_frame or frame.ndim < 2 or frame.shape[2:] not in ((), (1,), (3,), (4,)):
            received = (
                f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            )
            raise TypeError(
                "`env.render()` must return uint8 frames [height, width], or [height, width, channels] with "
                f"1, 3 or 4 channels. Received {received}; correct the environment's `render`."
            )
        frame = _to_rgb(frame)
        if frame.shape[:2] != (self.height, self.width):
            # Not with torch: this wrapper may run in forked workers, in which torch's threads hang.
            size = (self.width, self.height)
            return np.array(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        return np.array(
            frame, order="C"
        )  # MuJoCo returns a flipped view, and some environments reuse an array

    def _render_mujoco(self, renderer: Any) -> Any:
        has_rendered = renderer.viewer is not None
        if not has_rendered:  # these have no effect after the first rendering
            limits = renderer.model.vis.global_
            renderer.width, renderer.height = self.width, self.height
            limits.offwidth = max(limits.offwidth, self.width)
            limits.offheight = max(limits.offheight, self.height)
            if self.fast:
                renderer.model.vis.quality.offsamples = 0
                renderer.model.vis.quality.shadowsize = 1
        try:
            frame = self.env.render()
        except Exception as error:  # each of MuJoCo's backends raises other errors
            raise RuntimeError(
                f"MuJoCo cannot render here: {error!r}. Without a display set the environment variable "
                'MUJOCO_GL to "egl" or "osmesa" before `mujoco` is imported.'
            ) from error
        # Checked at each rendering, since a copy of this environment starts with a new viewer.
        return self.env.render() if self.fast and _turn_off(renderer.viewer.scn.flags) else frame


def _to_rgb(frame: UInt8[np.ndarray, "height width *channels"]) -> UInt8[np.ndarray, "height width 3"]:
    if frame.ndim == 2:
        frame = frame[..., None]
    return np.repeat(frame, 3, 2) if frame.shape[2] == 1 else frame[..., :3]


def _mujoco_renderer(env: gym.Env[Any, Any]) -> Any:
    """Return the renderer of a MuJoCo environment, or of one that it contains (as mazes do)."""
    for holder in (env, *vars(env).values()):
        if isinstance(holder, gym.Env):
            renderer = getattr(holder.unwrapped, "mujoco_renderer", None)
            if renderer is not None:
                return renderer
    return None


def _turn_off(flags: np.ndarray) -> bool:
    import mujoco  # installed, since this environment renders with it

    kinds = getattr(mujoco, "mjtRndFlag")  # noqa: B009 (compiled: unknown to type checkers)
    slow = [int(kind) for kind in (kinds.mjRND_SHADOW, kinds.mjRND_REFLECTION, kinds.mjRND_SKYBOX)]
    were_on = bool(flags[slow].any())
    flags[slow] = 0
    return were_on
