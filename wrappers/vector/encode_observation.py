"""Wrapper that replaces the images of a `gymnasium.vector` environment by encodings.

`VectorEncodeObservation`  twin of `EncodeObservation` with one forward pass per vector step
"""

from typing import Any, Unpack

import numpy as np
from gymnasium.core import ActType, ObsType
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rlpriors.wrappers.encode_options import EncodeOptions, EncodeOptionsDict, show_options
from rlpriors.wrappers.encoder_source import EncoderSource
from rlpriors.wrappers.env_kind import check_env_kind, check_full_batch
from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack
from rlpriors.wrappers.observation_encoder import ObservationEncoder
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.vector.autoreset import AutoresetTracker
from rlpriors.wrappers.vector.generic_wrapper import GenericVectorWrapper
from rlpriors.wrappers.vector.step_info import check_rows, final_observations, with_final_obs

__all__ = ["VectorEncodeObservation"]


class VectorEncodeObservation(GenericVectorWrapper[Any, ActType, ObsType, ActType, np.ndarray]):
    """Wrapper that replaces the images of each observation of a vector environment by encodings.

    All images of a step are encoded in one forward pass in this process.  `encoder` and the options are
    those of `EncodeObservation`.

    The wrapper supports each of Gymnasium's autoreset modes, also over ale_py's `AtariVectorEnv` and
    EnvPool.  In SAME_STEP mode the final observations of episodes, `info["final_obs"]`, are encoded in the
    same pass and stacked on the frames of their own episode.  They are returned as an array of single
    observations, None where no episode ended, with the mask `info["_final_obs"]`.  Final observations as
    one batch, tensors, lists of info dictionaries and the older key "final_observation" are understood.

    Raises:
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.
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
        check_env_kind(env, "EncodeObservation", "Vector")
        super().__init__(env)
        check_full_batch(env)
        self.autoreset = AutoresetTracker(env)
        self.observation_encoder = ObservationEncoder(
            encoder,
            env.single_observation_space,
            env.num_envs,
            EncodeOptions(**options),
            is_stack=observes_stack(env),
        )
        self.single_observation_space = self.observation_encoder.single_space
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._env_ids = np.arange(env.num_envs)
        self._guard = StepGuard(env.num_envs)

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, Any]:
        """Reset all environments, or those of `options["reset_mask"]`; only these are encoded."""
        # Read before the environment removes it.
        mask = np.broadcast_to((options or {}).get("reset_mask", True), self.num_envs)
        self._guard.check(~mask)  # the other rows repeat their last observation
        with self._guard.reset(mask):
            obs, info = self.env.reset(seed=seed, options=options)
            was_reset = self.autoreset.reset(mask)
            batches = self.observation_encoder.images_of_batch(obs)
            check_rows(len(batches[0]), self.num_envs)
            images = [batch[was_reset] for batch in batches]
            self.observation_encoder.update(images, self._env_ids[was_reset], was_reset[was_reset])
            return self._encode(obs), info

    def step(self, actions: ActType) -> tuple[Any, Any, Any, Any, Any]:
        with self._guard.step():
            obs, rewards, terminated, truncated, info = self.env.step(actions)
            self.autoreset.step(terminated, truncated)
            encoder, ended = self.observation_encoder, np.flatnonzero(self.autoreset.final)
            final_obs = final_observations(info, ended, self.num_envs)
            final_vectors = encoder.update(
                encoder.images_of_batch(obs),
                self._env_ids,
                self.autoreset.first,
                encoder.images_of_list(final_obs) if final_obs else (),
                ended,
            )
            if final_obs:
                vectors = [[leaf[i] for leaf in final_vectors] for i in range(len(ended))]
                encoded = [encoder.replace_images(*pair) for pair in zip(final_obs, vectors, strict=True)]
                info = with_final_obs(info, encoded, ended, self.num_envs)
            return self._encode(obs), rewards, terminated, truncated, info

    def close(self, **kwargs: Any) -> None:
        """Close the environments and release the encoder."""
        if "observation_encoder" in vars(self):  # not after an error in the constructor
            self.observation_encoder.close()
        super().close(**kwargs)

    def _encode(self, obs: ObsType) -> Any:
        return self.observation_encoder.replace_images(obs, self.observation_encoder.read(self._env_ids))
