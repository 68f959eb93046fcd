"""Wrapper that replaces the images of an environment of tensors by encodings.

`TensorEncodeObservation`  twin of `EncodeObservation` without a copy to the host
"""

from typing import Any, Unpack

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from rlpriors.wrappers.encode_options import EncodeOptions, TensorEncodeOptions, show_options
from rlpriors.wrappers.encoder_source import EncoderSource
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tensor.step_info import final_batch, reset_rows, with_final_batch
from rlpriors.wrappers.tensor.tensor_wrapper import TensorWrapper

__all__ = ["TensorEncodeObservation"]


class TensorEncodeObservation(TensorWrapper):
    """Wrapper that replaces the images of each observation of an environment of tensors by encodings.

    The environment steps `num_envs` copies as one batch on one device, as Isaac Lab, mjlab and ManiSkill do.
    All images of a step are encoded in one forward pass on that device, and the encodings are tensors there.
    `encoder` and the options are those of `EncodeObservation`, without `output` and `cache`, which need the
    host.  `device` is the environment's device; with "auto" it is read from the environment.  A given
    `ImageEncoder` is moved there.

    `TensorWrapper` documents `autoreset_mode` and `single_observation_space`.  An environment with cameras
    often declares them as unbounded floats, although it returns uint8: pass the true space then.

    Final observations in the info, "final_obs" or "final_observation", are encoded in the same pass and
    stacked on the frames of their own episode.  Rows whose episode did not end repeat the observation.  An
    environment without final observations (Isaac Lab by default, mjlab) needs none.  The step reads the
    number of ended episodes on the host where there are final observations, and nothing otherwise.

    Raises:
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.
        ValueError: as `EncodeObservation` and `TensorWrapper`, or the observations are on another device.
        TypeError: `env` is no such environment, or `output` or `cache` is passed.

    Example:
        >>> class Dusk:
        ...     num_envs, device, is_vector_env = 3, "cpu", True
        ...     single_observation_space = gym.spaces.Box(0, 255, (64, 64, 3), "uint8")
        ...     single_action_space = gym.spaces.Discrete(2)
        ...     def reset(self, seed=None, options=None):
        ...         return torch.full((3, 64, 64, 3), 90, dtype=torch.uint8), {}
        >>> envs = TensorEncodeObservation(Dusk(), "nature-cnn", weights="none")
        >>> envs.reset()[0].shape, envs.single_observation_space.shape
        (torch.Size([3, 512]), (512,))
    """

    @show_options(without={"output", "cache"})
    def __init__(
        self,
        env: Any,
        encoder: EncoderSource,
        *,
        autoreset_mode: AutoresetMode | None = None,
        single_observation_space: gym.Space[Any] | None = None,
        **options: Unpack[TensorEncodeOptions],
    ) -> None:
        refused = [name for name in ("output", "cache") if name in options]
        if refused:
            raise TypeError(
                f"`{refused[0]}` must not be passed: encodings are tensors that stay on their device. "
                f"Received the option `{refused[0]}`; remove it."
            )
        super().__init__(env, options.get("device", "auto"), autoreset_mode, single_observation_space)
        options["device"] = self.device
        self.observation_encoder = ObservationEncoder(
            encoder,
            self.single_observation_space,
            self.num_envs,
            EncodeOptions(**options, output="torch"),
            tensors=True,
        )
        self.single_observation_space = self.observation_encoder.single_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._env_ids = torch.arange(self.num_envs, device=self.device)
        self._guard = StepGuard(1)  # the environments of a batch are current together

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None, env_ids: Any = None
    ) -> tuple[Any, Any]:
        """Reset all environments, or those of `env_ids` or `options`; only these are encoded."""
        mask = reset_rows(options, env_ids, self.num_envs, self.device)
        if mask is not None:
            self._guard.check(0)  # the other rows repeat their last observation
        with self._guard.reset(0):
            obs, info = self._reset_env(seed, options, env_ids)
            was_reset = self.autoreset.reset(True if mask is None else mask)
            rows = self._env_ids if mask is None else self._env_ids[was_reset]
            images = [batch[rows] for batch in self.observation_encoder.images_of_batch(obs)]
            self.observation_encoder.update(images, rows, was_reset[rows])
            return self._encode(obs), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, Any]:
        with self._guard.step():
            obs, rewards, terminated, truncated, info = self.env.step(actions)
            self.autoreset.step(terminated, truncated)
            encoder, first = self.observation_encoder, self.autoreset.first
            images = encoder.images_of_batch(obs)
            if self.autoreset_mode != AutoresetMode.SAME_STEP or final_batch(info, self.num_envs) is None:
                encoder.update(images, self._env_ids, first)
                return self._encode(obs), rewards, terminated, truncated, info
            final_obs, ended = final_batch(info, self.num_envs), self._env_ids[self.autoreset.final]
            final_images = [batch[ended] for batch in encoder.images_of_batch(final_obs)]
            final_vectors = encoder.update(images, self._env_ids, first, final_images, ended)
            encoded = encoder.read(self._env_ids)
            for leaf, vectors in zip(encoded, final_vectors, strict=False):
                leaf[ended] = vectors
            final_obs = encoder.replace_images(final_obs, encoded)
            info = with_final_batch(info, final_obs, self.autoreset.final)
            return self._encode(obs), rewards, terminated, truncated, info

    def close(self, **kwargs: Any) -> None:
        """Close the environments and release the encoder."""
        if "observation_encoder" in vars(self):  # not after an error in the constructor
            self.observation_encoder.close()
        super().close(**kwargs)

    def _encode(self, obs: Any) -> Any:
        return self.observation_encoder.replace_images(obs, self.observation_encoder.read(self._env_ids))
