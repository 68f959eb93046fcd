"""Wrapper that replaces the images of a Tianshou vector environment by encodings.

`TianshouEncodeObservation`  twin of `EncodeObservation` with one forward pass per vector step
"""

from typing import Any, Unpack

import numpy as np
import torch
from tianshou.env import BaseVectorEnv

from rlpriors.spaces import wrapped_spaces
from rlpriors.wrappers.encode_options import EncodeOptions, NumpyEncodeOptions, show_options
from rlpriors.wrappers.encoder_source import EncoderSource
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou.vector_env import (
    EnvIds,
    WrappedSpacesEnv,
    object_array,
    resolve_env_ids,
    returned_ids,
)

__all__ = ["TianshouEncodeObservation"]


class TianshouEncodeObservation(WrappedSpacesEnv):
    """Wrapper that replaces the images of a Tianshou vector environment's observations by encodings.

    All images of a step are encoded in one forward pass in the main process: the encoder can use a GPU,
    and forked workers need no torch.  `encoder` and the options are those of `EncodeObservation`, except
    `output`, since collectors need numpy arrays.

    A replay buffer then holds encodings, so that no update runs the encoder.  Tianshou resets no
    environment by itself, so that the final observation of an episode is stacked on its own frames.
    Networks of the policy take their sizes from `rlpriors.spaces.wrapped_spaces(venv)`.

    Raises:
        ValueError, TypeError, ResetNeeded: as `EncodeObservation`.

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

    @show_options(without={"output"})
    def __init__(
        self, venv: BaseVectorEnv, encoder: EncoderSource, **options: Unpack[NumpyEncodeOptions]
    ) -> None:
        check_env_kind(venv, "EncodeObservation", "Tianshou", "venv")
        super().__init__(venv)
        if "output" in options:
            raise TypeError(
                '`output` must be "numpy" for a Tianshou collector. Received the option `output`; remove it.'
            )
        self.observation_encoder = ObservationEncoder(
            encoder,
            wrapped_spaces(venv).observation,
            n_envs=len(venv),
            options=EncodeOptions(**options),
            is_stack=observes_stack(venv),
        )
        self.single_observation_space = self.observation_encoder.single_space
        self._guard = StepGuard(len(venv))

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        env_ids = resolve_env_ids(self, env_id)
        with self._guard.reset(env_ids):
            obs, info = self.venv.reset(env_id, **kwargs)
            return self._encode(obs, env_ids, first=True), info

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        with self._guard.step([] if action is None else resolve_env_ids(self, id)):
            obs, rew, terminated, truncated, infos = self.venv.step(action, id)
            return self._encode(obs, returned_ids(infos), first=False), rew, terminated, truncated, infos

    def close(self) -> None:
        """Close the environments and release the encoder."""
        self.observation_encoder.close()
        self.venv.close()

    def _encode(self, obs: np.ndarray, ids: list[int], first: bool) -> np.ndarray:
        env_ids, encoder = np.array(ids), self.observation_encoder
        is_list = obs.dtype == object  # Tianshou batches Dict observations as an array of dictionaries
        images = encoder.images_of_list(list(obs)) if is_list else encoder.images_of_batch(obs)
        encoder.update(images, env_ids, np.full(len(env_ids), first))
        encoded = encoder.read(env_ids)
        if not is_list and not encoder.options.keep_pixels:
            return np.asarray(encoded[0])
        return object_array(
            [encoder.replace_images(one, [leaf[i] for leaf in encoded]) for i, one in enumerate(obs)]
        )
