"""Encoded images in the place of those of a `gymnasium.vector` environment.

`VectorEncodeObservation`  one forward pass of the encoder for each step
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.core import ActType, ObsType
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rlpriors.encoders.encoder import Amp
from rlpriors.wrappers.encode_options import Cache, DType, EncoderSource, EncodeSettings, Output
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.vector.autoreset import Autoreset

__all__ = ["VectorEncodeObservation"]


class VectorEncodeObservation(VectorWrapper[Any, ActType, ObsType, ActType, np.ndarray]):
    """`EncodeObservation` for a vector environment: one forward pass a step, in this process.

    Works in each of Gymnasium's autoreset modes, also over ale_py's `AtariVectorEnv`.  In SAME_STEP
    mode the last observations of episodes, `info["final_obs"]`, are encoded in the same pass, stacked on
    the frames that led to them; they come as an array of single observations, None where no episode
    ended, with the mask `info["_final_obs"]`.

    `encoder` and the options are those of `EncodeObservation`.

    Raises:
        ValueError: as `EncodeObservation`; or `env.metadata["autoreset_mode"]` is none of Gymnasium's,
            or a step returns fewer rows than there are environments.

    Example:
        >>> import gymnasium as gym
        >>> from gymnasium.vector import SyncVectorEnv
        >>> class Dusk(gym.Env):
        ...     observation_space = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
        ...     action_space = gym.spaces.Discrete(2)
        ...     def reset(self, *, seed=None, options=None):
        ...         return np.full((64, 64, 3), 90, np.uint8), {}
        >>> envs = SyncVectorEnv([Dusk] * 3)
        >>> envs = VectorEncodeObservation(envs, "nature-cnn", weights="none", device="cpu")
        >>> envs.reset()[0].shape, envs.single_observation_space.shape
        ((3, 512), (512,))
    """

    def __init__(
        self,
        env: VectorEnv[ObsType, ActType, np.ndarray],
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
        super().__init__(env)
        batch_size = getattr(env.unwrapped, "batch_size", env.num_envs)
        if batch_size != env.num_envs:
            raise ValueError(
                f"`env` must return all its {env.num_envs} environments at each step. Received one that "
                f"returns {batch_size} of them; make it with batch_size=0."
            )
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
        self.autoreset = Autoreset(env)
        self.encoding = ObservationEncoder(
            encoder, env.single_observation_space, rows=env.num_envs, settings=settings
        )
        self.single_observation_space = self.encoding.single_space
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._all = np.arange(env.num_envs)

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments, or those of `options["reset_mask"]`; only these are encoded."""
        mask = (options or {}).get("reset_mask", True)  # read before the environment takes it out
        obs, info = self.env.reset(seed=seed, options=options)
        begun = self.autoreset.reset(mask)
        images = [batch[begun] for batch in self.encoding.images(obs)]
        self.encoding.observe(images, self._all[begun], begun[begun])
        return self.encoding.replace(obs, self.encoding.read(self._all)), info

    def step(self, actions: ActType) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        self.autoreset.step(terminated, truncated)
        ended = np.flatnonzero(self.autoreset.last)
        final_obs = [info["final_obs"][row] for row in ended]
        final_vectors = self.encoding.observe(
            self.encoding.images(obs),
            self._all,
            self.autoreset.first,
            self.encoding.images_of(final_obs) if final_obs else (),
            ended,
        )
        if final_obs:
            # An array of its own: the environment may keep the given one, or (ale_py) fill a plain batch.
            told = np.full(self.num_envs, None, object)
            for number, row in enumerate(ended):
                told[row] = self.encoding.replace(final_obs[number], [v[number] for v in final_vectors])
            info = {**info, "final_obs": told, "_final_obs": self.autoreset.last.copy()}
        return self.encoding.replace(obs, self.encoding.read(self._all)), rewards, terminated, truncated, info

    def close(self, **kwargs: Any) -> None:
        """Close the environments and let go of the encoder."""
        self.encoding.close()
        super().close(**kwargs)
