"""An environment's rendered frames as its observations.

`PixelObservation`  renders small and, for MuJoCo, without what costs most
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.core import ActType, ObsType
from jaxtyping import UInt8
from PIL import Image

__all__ = ["PixelObservation"]


class PixelObservation(gym.ObservationWrapper[Any, ActType, ObsType], gym.utils.RecordConstructorArgs):
    """Each observation becomes the frame that `render` gives: uint8 [height, width, 3].

    With `keep_state` it becomes a Dict of this frame under "pixels" and the environment's own
    observation under "state".

    A MuJoCo environment that has not rendered yet renders at this very size; frames of another size
    are resized (bilinear, antialiased).  `fast` spares a MuJoCo environment the shadows,
    reflections, sky and multisampling, which take most of the time, for this environment's every
    rendering: a video that is recorded from it looks the same.

    Any environment that was made with `render_mode="rgb_array"` will do.  A forked worker process hangs
    in EGL when its parent has drawn before: give AsyncVectorEnv `context="spawn"` then.

    Raises:
        ValueError: another render mode, or a size below 1.
        RuntimeError: MuJoCo finds no way to draw (says which variable to set).
        TypeError: `render` gives something else than a uint8 frame.

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
        if env.render_mode != "rgb_array":
            raise ValueError(
                f'`env.render_mode` must be "rgb_array". Received {env.render_mode!r}; make the environment '
                'with it, for example gym.make(..., render_mode="rgb_array").'
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
        frame = self.env.render() if renderer is None else self._draw(renderer)
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape[2:] != (3,):
            got = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise TypeError(f"`env.render()` must give uint8 frames [height, width, 3]. Received {got}.")
        if frame.shape[:2] != (self.height, self.width):
            # Not by torch: wrappers of this kind run in forked workers, where its threads would hang.
            size = (self.width, self.height)
            return np.array(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        return np.array(frame, order="C")  # MuJoCo's is upside down, and some environments reuse theirs

    def _draw(self, renderer: Any) -> Any:
        has_drawn = renderer.viewer is not None
        if not has_drawn:  # later these have no effect
            limits = renderer.model.vis.global_
            renderer.width, renderer.height = self.width, self.height
            limits.offwidth = max(limits.offwidth, self.width)
            limits.offheight = max(limits.offheight, self.height)
            if self.fast:
                renderer.model.vis.quality.offsamples = 0
                renderer.model.vis.quality.shadowsize = 1
        try:
            frame = self.env.render()
        except Exception as error:  # each of MuJoCo's backends fails in its own way
            raise RuntimeError(
                f"MuJoCo cannot render here: {error!r}. Without a screen set the environment variable "
                'MUJOCO_GL to "egl" or "osmesa" before `mujoco` is imported.'
            ) from error
        # Another renderer's flags, or none yet: looked at each time, for a copy of this
        # environment begins with a new viewer.
        return self.env.render() if self.fast and _turn_off(renderer.viewer.scn.flags) else frame


def _mujoco_renderer(env: gym.Env[Any, Any]) -> Any:
    """The renderer of a MuJoCo environment, or of one that it carries inside (as mazes do)."""
    for holder in (env, *vars(env).values()):
        if isinstance(holder, gym.Env):
            renderer = getattr(holder.unwrapped, "mujoco_renderer", None)
            if renderer is not None:
                return renderer
    return None


def _turn_off(flags: np.ndarray) -> bool:
    import mujoco  # there, as this environment has drawn with it

    kinds = getattr(mujoco, "mjtRndFlag")  # noqa: B009 (compiled: type checkers do not see it)
    costly = [int(kind) for kind in (kinds.mjRND_SHADOW, kinds.mjRND_REFLECTION, kinds.mjRND_SKYBOX)]
    was_on = bool(flags[costly].any())
    flags[costly] = 0
    return was_on
