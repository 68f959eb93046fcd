"""Wrapper that replaces an environment's images by encodings.

`EncodeObservation`  for a single environment; `vector` and `tianshou` hold the twins for many
"""

import os
from typing import Any, Unpack

import gymnasium as gym
import numpy as np
from gymnasium.core import ActType, ObsType

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.wrappers.autoreset_wrappers import AutoresetWrappers
from rlpriors.wrappers.encode_options import EncodeOptions, EncodeOptionsDict, show_options
from rlpriors.wrappers.encoder_source import EncoderSource
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.step_guard import StepGuard

__all__ = ["EncodeObservation"]

ENV_ID = np.arange(1)


class EncodeObservation(gym.Wrapper[Any, ActType, ObsType, ActType], gym.utils.RecordConstructorArgs):
    """Wrapper that replaces the images of each observation by encodings of a pretrained encoder.

    `encoder` is a name for `load_encoder`, the folder of a saved encoder, or an `ImageEncoder` (shared,
    not copied).  A spec can hold a name or a folder, but no `ImageEncoder`; with them
    `gym.make(env.spec)`, JSON and `additional_wrappers` work.  The encoder stays frozen even if `train()`
    is called on it or on a module inside.

    The options are the fields of `EncodeOptions`, which documents each of them:

    - encoder: `readout`, `weights`, `input_size`, `stride`, `device`, `amp`, `compile`, `backend`,
      `channels_last`, `chunk_size`, `allow_noncommercial`, `fingerprint`
    - images: `obs_keys`, `layout`, `stack`, `fuse`, `cache`
    - result: `output`, `dtype`, `keep_pixels`

    Images are [height, width, channels], [channels, height, width] or gray [height, width].  An encoder
    of color images receives a gray image as three equal channels.  A stack from the environment
    (FrameStackObservation; gray stacks are [frames, height, width]) is encoded frame by frame at each
    step, and fused.  The option `stack` encodes each frame once instead; the first frame of an episode
    fills the stack, also if gymnasium.wrappers.Autoreset starts the episode.

    An ambiguous shape needs `layout`.  The bounds of the space set the range of the pixels: integers in
    0..255, or floats in [0, 1], [0, 255] or [-1, 1].

    In a Dict or Tuple observation all uint8 images, or the leaves `obs_keys`, are encoded under their
    names.  Other leaves pass unchanged.

    For many environments, `VectorEncodeObservation` and `TianshouEncodeObservation` encode all images of
    a step in one forward pass in the main process, which can use a GPU.

    Raises:
        ValueError: the observations hold no such images, an option does not fit, or `fingerprint` is
            that of another encoder (the message names the difference).
        TypeError: `encoder` is neither a name nor an `ImageEncoder`, or `env` is a vector environment.
        FileNotFoundError, CheckpointError: as `load_encoder`.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> from rlpriors.wrappers import PixelObservation
        >>> class Dusk(gym.Env):
        ...     observation_space, action_space = gym.spaces.Discrete(256), gym.spaces.Discrete(2)
        ...     render_mode = "rgb_array"
        ...     def reset(self, *, seed=None, options=None):
        ...         return 0, {}
        ...     def render(self):
        ...         return np.full((64, 64, 3), 90, np.uint8)
        >>> env = PixelObservation(Dusk(), 64, 64)
        >>> env = EncodeObservation(env, "nature-cnn", weights="none", stack=4, device="cpu")
        >>> obs, _ = env.reset()
        >>> obs.shape, obs.dtype
        ((2048,), dtype('float32'))
    """

    @show_options()
    def __init__(
        self, env: gym.Env[ObsType, ActType], encoder: EncoderSource, **options: Unpack[EncodeOptionsDict]
    ) -> None:
        check_env_kind(env, "EncodeObservation", "")
        encode_options = EncodeOptions(**options)
        gym.utils.RecordConstructorArgs.__init__(
            self,
            encoder=os.fspath(encoder) if isinstance(encoder, os.PathLike) else encoder,
            **encode_options.as_json(),
            _disable_deepcopy=isinstance(encoder, ImageEncoder),
        )
        gym.Wrapper.__init__(self, env)
        self.observation_encoder = ObservationEncoder(
            encoder, env.observation_space, 1, encode_options, is_stack=observes_stack(env)
        )
        self.observation_space = self.observation_encoder.single_space
        self._autoreset = AutoresetWrappers(env)
        self._guard = StepGuard(1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        with self._guard.reset(ENV_ID):
            obs, info = self.env.reset(seed=seed, options=options)
            return self._encode(obs, first=True), info

    def step(self, action: ActType) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        with self._guard.step():
            first = self._autoreset.next_step_resets
            obs, reward, terminated, truncated, info = self.env.step(action)
            return self._encode(obs, first), reward, terminated, truncated, info

    def close(self) -> None:
        """Close the environment and release the encoder."""
        self.observation_encoder.close()
        super().close()

    def _encode(self, obs: ObsType, first: bool) -> Any:
        encoder = self.observation_encoder
        encoder.update(encoder.images_of_list([obs]), ENV_ID, np.array([first]))
        return encoder.replace_images(obs, [vectors[0] for vectors in encoder.read(ENV_ID)])
