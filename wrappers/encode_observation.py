"""Encoded images in the place of an environment's own.

`EncodeObservation`  for one environment; its vector twins are in vector_encode.py and tianshou_encode.py
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.core import ActType, ObsType

from rlpriors.encoders.encoder import Amp, ImageEncoder
from rlpriors.wrappers.encode_options import Cache, DType, EncoderSource, EncodeSettings, Output
from rlpriors.wrappers.observation_encoder import ObservationEncoder

__all__ = ["EncodeObservation"]

ROW = np.arange(1)


class EncodeObservation(gym.Wrapper[Any, ActType, ObsType, ActType], gym.utils.RecordConstructorArgs):
    """Replaces the images of each observation by what a pretrained encoder sees in them.

    `encoder` is a name that `load_encoder` knows, the folder of a saved encoder, or an `ImageEncoder`
    (shared, not copied).  Only a name or a folder can be written into a spec: with it
    `gym.make(env.spec)`, JSON and `additional_wrappers` work.  The encoder is frozen, whatever
    `train()` is called on it or its parts.  The options are explained at `EncodeSettings`.

    Images are [height, width, channels], [channels, height, width] or gray [height, width]; an
    encoder of colors sees a gray image as three equal ones.  A stack that the environment makes
    (FrameStackObservation; gray ones are [frames, height, width]) is encoded frame by frame, all of
    them at each step, and fused.  `stack` instead encodes each frame once; an episode's first frame
    stands for those before it.

    Of a Dict observation all uint8 images, or those named by `keys`, are encoded under their names and
    the rest passes through unchanged.

    Many environments: `VectorEncodeObservation` and `TianshouEncodeObservation` encode the images of
    all of them in one forward pass and in the main process, where a GPU can be used.

    Raises:
        ValueError: the observations hold no such images, or an option does not suit; `fingerprint`
            is another encoder's (says which part differs).
        TypeError: pixels are neither uint8 nor floats.
        FileNotFoundError, CheckpointError: as `load_encoder`.

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

    def __init__(
        self,
        env: gym.Env[ObsType, ActType],
        encoder: EncoderSource,
        *,
        readout: str | None = None,
        weights: str = "auto",
        input_size: Sequence[int] | None = None,
        keys: Sequence[str] | None = None,
        layout: str | None = None,
        keep_pixels: bool = False,
        stack: int = 1,
        fuse: str = "concat",
        device: str | torch.device = "auto",
        amp: Amp | None = None,
        compile: bool = False,
        channels_last: bool = False,
        output: Output = "numpy",
        dtype: DType = "float32",
        cache: Cache = None,
        chunk_size: int | None = None,
        allow_noncommercial: bool = False,
        fingerprint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    ) -> None:
        settings = EncodeSettings(
            readout=readout,
            weights=weights,
            input_size=input_size,
            keys=keys,
            layout=layout,
            keep_pixels=keep_pixels,
            stack=stack,
            fuse=fuse,
            device=device,
            amp=amp,
            compile=compile,
            channels_last=channels_last,
            output=output,
            dtype=dtype,
            cache=cache,
            chunk_size=chunk_size,
            allow_noncommercial=allow_noncommercial,
            fingerprint=fingerprint,
        )
        loaded = isinstance(encoder, ImageEncoder)
        gym.utils.RecordConstructorArgs.__init__(
            self,
            encoder=encoder if loaded or not isinstance(encoder, os.PathLike) else os.fspath(encoder),
            **settings.as_json(),
            _disable_deepcopy=loaded,
        )
        gym.Wrapper.__init__(self, env)
        self.encoding = ObservationEncoder(encoder, env.observation_space, rows=1, settings=settings)
        self.observation_space = self.encoding.single_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        return self._encoded(obs, first=True), info

    def step(self, action: ActType) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        return self._encoded(obs, first=False), reward, terminated, truncated, info

    def close(self) -> None:
        """Close the environment and let go of the encoder."""
        self.encoding.close()
        super().close()

    def _encoded(self, obs: ObsType, first: bool) -> Any:
        self.encoding.observe(self.encoding.images_of([obs]), ROW, np.array([first]))
        return self.encoding.replace(obs, [vectors[0] for vectors in self.encoding.read(ROW)])
