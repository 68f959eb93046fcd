"""Encoded images in the place of those of a Tianshou vector environment.

`TianshouEncodeObservation`  works under any Tianshou collector, and so for any of its algorithms
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tianshou.env import BaseVectorEnv, VectorEnvWrapper

from rlpriors.encoders.encoder import Amp
from rlpriors.wrappers.encode_options import Cache, DType, EncoderSource, EncodeSettings
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.tianshou.learned_reward import EnvIds, env_ids, wrapped_space

__all__ = ["TianshouEncodeObservation"]


class TianshouEncodeObservation(VectorEnvWrapper):
    """`EncodeObservation` for Tianshou's vector environments: one forward pass in the main process.

    That lets the encoder live on a GPU and keeps torch out of forked workers.  A replay buffer then
    holds encodings, and no update runs the encoder again.  Tianshou resets nothing by itself, so an
    episode's last observation is encoded on the frames that led to it.

    `encoder` and the options are those of `EncodeObservation`, but for `output`: collectors want
    arrays.  Networks for the policy take their size from `single_observation_space` (Tianshou's own
    `observation_space` tells that of the bare environment).

    Raises:
        ValueError, TypeError: as `EncodeObservation`.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> class Dusk(gym.Env):
        ...     observation_space = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        ...     action_space = gym.spaces.Discrete(2)
        ...     def reset(self, *, seed=None, options=None):
        ...         return np.full((64, 64, 3), 90, np.uint8), {}
        >>> venv = DummyVectorEnv([Dusk] * 3)
        >>> venv = TianshouEncodeObservation(venv, "nature-cnn", weights="none", device="cpu")
        >>> venv.reset()[0].shape, venv.single_observation_space.shape
        ((3, 512), (512,))
    """

    def __init__(
        self,
        venv: BaseVectorEnv,
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
        dtype: DType = "float32",
        cache: Cache = None,
        chunk_size: int | None = None,
        allow_noncommercial: bool = False,
        fingerprint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(venv)
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
            dtype=dtype,
            cache=cache,
            chunk_size=chunk_size,
            allow_noncommercial=allow_noncommercial,
            fingerprint=fingerprint,
        )
        space = wrapped_space(venv, "observation_space")
        self.encoding = ObservationEncoder(encoder, space, rows=len(venv), settings=settings)
        self.single_observation_space = self.encoding.single_space

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        obs, info = self.venv.reset(env_id, **kwargs)
        return self._encoded(obs, env_ids(self, env_id), first=True), info

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        obs, rew, terminated, truncated, infos = self.venv.step(action, id)
        # Some of the environments may have been asked, and with `wait_num` others answer.
        rows = [int(info["env_id"]) for info in infos]
        return self._encoded(obs, rows, first=False), rew, terminated, truncated, infos

    def close(self) -> None:
        """Close the environments and let go of the encoder."""
        self.encoding.close()
        self.venv.close()

    def _encoded(self, obs: np.ndarray, ids: list[int], first: bool) -> np.ndarray:
        rows, encoding = np.array(ids), self.encoding
        in_rows = obs.dtype == object  # Tianshou stacks Dict observations as dictionaries
        images = encoding.images_of(list(obs)) if in_rows else encoding.images(obs)
        encoding.observe(images, rows, np.full(len(rows), first))
        vectors = encoding.read(rows)
        if not in_rows and not encoding.settings.keep_pixels:
            return np.asarray(vectors[0])
        told = np.empty(len(rows), object)
        told[:] = [encoding.replace(one, [v[i] for v in vectors]) for i, one in enumerate(obs)]
        return told
