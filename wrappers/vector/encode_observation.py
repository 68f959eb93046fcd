"""Wrapper that replaces the images of a `gymnasium.vector` environment by encodings.

`VectorEncodeObservation`  twin of `EncodeObservation` with one forward pass per vector step
"""

from typing import Any, Unpack

import numpy as np
from gymnasium.core import ActType, ObsType
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from rlpriors.wrappers.encode_options import EncodeOptions, EncodeOptionsDict, show_options
from rlpriors.wrappers.encoder_source import EncoderSource
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.vector.autoreset import AutoresetTracker

__all__ = ["VectorEncodeObservation"]


class VectorEncodeObservation(VectorWrapper[Any, ActType, ObsType, ActType, np.ndarray]):
    """Wrapper that replaces the images of each observation of a vector environment by encodings.

    All images of a step are encoded in one forward pass in this process.  `encoder` and the options are
    those of `EncodeObservation`.

    The wrapper supports each of Gymnasium's autoreset modes, also over ale_py's `AtariVectorEnv`.  In
    SAME_STEP mode the final observations of episodes, `info["final_obs"]`, are encoded in the same pass
    and stacked on the frames of their own episode.  They are returned as an array of single
    observations, None where no episode ended, with the mask `info["_final_obs"]`.

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

    @show_options()
    def __init__(
        self,
        env: VectorEnv[ObsType, ActType, np.ndarray],
        encoder: EncoderSource,
        **options: Unpack[EncodeOptionsDict],
    ) -> None:
        super().__init__(env)
        batch_size = getattr(env.unwrapped, "batch_size", env.num_envs)
        if batch_size != env.num_envs:
            raise ValueError(
                f"`env` must return all its {env.num_envs} environments at each step. Received one that "
                f"returns {batch_size} of them; create it with batch_size=0."
            )
        self.autoreset = AutoresetTracker(env)
        self.observation_encoder = ObservationEncoder(
            encoder, env.single_observation_space, n_envs=env.num_envs, options=EncodeOptions(**options)
        )
        self.single_observation_space = self.observation_encoder.single_space
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._env_ids = np.arange(env.num_envs)

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset all environments, or those of `options["reset_mask"]`; only these are encoded."""
        mask = (options or {}).get("reset_mask", True)  # read before the environment removes it
        obs, info = self.env.reset(seed=seed, options=options)
        was_reset = self.autoreset.reset(mask)
        images = [batch[was_reset] for batch in self.observation_encoder.images_of_batch(obs)]
        self.observation_encoder.update(images, self._env_ids[was_reset], was_reset[was_reset])
        return self._encode(obs), info

    def step(self, actions: ActType) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        obs, rewards, terminated, truncated, info = self.env.step(actions)
        self.autoreset.step(terminated, truncated)
        encoder, ended = self.observation_encoder, np.flatnonzero(self.autoreset.final)
        final_obs = [info["final_obs"][row] for row in ended]
        final_vectors = encoder.update(
            encoder.images_of_batch(obs),
            self._env_ids,
            self.autoreset.first,
            encoder.images_of_list(final_obs) if final_obs else (),
            ended,
        )
        if final_obs:
            # A new array: the environment may reuse its own, or (ale_py) hold a plain batch.
            encoded = np.full(self.num_envs, None, object)
            for i, row in enumerate(ended):
                encoded[row] = encoder.replace_images(final_obs[i], [leaf[i] for leaf in final_vectors])
            info = {**info, "final_obs": encoded, "_final_obs": self.autoreset.final.copy()}
        return self._encode(obs), rewards, terminated, truncated, info

    def close(self, **kwargs: Any) -> None:
        """Close the environments and release the encoder."""
        self.observation_encoder.close()
        super().close(**kwargs)

    def _encode(self, obs: ObsType) -> Any:
        return self.observation_encoder.replace_images(obs, self.observation_encoder.read(self._env_ids))
