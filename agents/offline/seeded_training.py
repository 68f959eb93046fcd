"""Base of the offline algorithms that learn from transitions: seeded updates, resuming.

`SeededTraining`    offline algorithm whose updates depend on a seed and their number only
`TransitionBuffer`  replay buffer that samples transitions by a seed and a number of the draw
`RewardScale`       type of the factor on rewards
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Literal, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OfflineAlgorithm, TrainingStats
from tianshou.data import Batch, ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from tianshou.utils.torch_utils import torch_device
from torch import Tensor

from rlpriors.agents.offline_algorithm import AnyPolicy
from rlpriors.agents.online.action_units import to_policy_units
from rlpriors.agents.resumable import restore_training, training_state
from rlpriors.agents.resume_inputs import check_inputs
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_actions_of, check_buffer
from rlpriors.data.buffers import FastReplayBuffer, from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint

__all__ = ["RewardScale", "SeededTraining", "TransitionBuffer"]

RewardScale = float | Literal["auto"]


class TransitionBuffer(FastReplayBuffer):
    """Replay buffer that samples transitions with replacement, by a seed and the number of the draw.

    Args:
        store: transitions; actions in units of the policy.
        seed: random seed of the samples.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> first, again = TransitionBuffer(store, seed=0), TransitionBuffer(store, seed=0)
        >>> bool((first.sample(64)[1] == again.sample(64)[1]).all()), len(first)
        (True, 8)
    """

    def __init__(self, store: EpisodeStore, seed: int) -> None:
        super().__init__(store.n_steps)
        filled = to_buffer(store)
        self.set_batch(cast(Any, filled._meta))
        self._size, self.last_index = filled._size, filled.last_index
        self.seed, self.draws = seed, 0

    def sample_indices(self, batch_size: int | None) -> np.ndarray:
        """Return sampled indices; all of them, in order, for None or 0."""
        if not batch_size:
            return np.arange(len(self))
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        return rng.integers(len(self), size=batch_size)


class SeededTraining(OfflineAlgorithm[AnyPolicy]):
    """Offline algorithm whose updates depend on a seed and their number only, so that it resumes bit-equal.

    It stands before an algorithm of Tianshou among the bases of a class, or is the only base.  The
    constructor ends with `_start_training`.  The policy is one of `rlpriors.agents.make_algorithm`, with
    vector observations and actions in its own units.

    The buffer of `run_training` is one of `to_buffer`, or one that a collector filled.
    """

    updates: Tensor

    def _start_training(self, seed: int, reward_scale: RewardScale, inputs: Mapping[str, Any]) -> None:
        """Create the counter of updates; `inputs` are the settings that a resumed training must share."""
        if reward_scale != "auto" and not reward_scale > 0:
            raise ValueError(f'`reward_scale` must be greater than 0 or "auto". Received {reward_scale}.')
        if seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {seed}.")
        self.seed, self.reward_scale = seed, reward_scale
        self._inputs = {"seed": seed, "reward_scale": reward_scale, **inputs}
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._data: str | None = None  # fingerprint of the training data
        self._resumed = False

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Return the buffer's transitions with actions in the policy's units and scaled rewards.

        Raises:
            TypeError: `buffer` is a store or something else; `to_buffer` converts a store.
            ValueError: observations are Dicts or of another shape than the policy's, or actions lie outside
                the policy's action space.
            CheckpointError: the training was resumed, and was started with other data or rewards.
        """
        store = self._store(buffer)
        self._set_data(_fingerprint(store))
        factor = reward_factor(store) if self.reward_scale == "auto" else self.reward_scale
        act = to_policy_units(self.policy, store.act)
        scaled = replace(store, act=act, rew=store.rew * np.float32(factor), action_space=None)
        transitions = TransitionBuffer(scaled, self.seed)
        transitions.draws = int(self.updates)
        return cast(TBuffer, super().process_buffer(transitions))

    def _store(self, buffer: ReplayBuffer) -> EpisodeStore:
        check_buffer(buffer)
        if len(buffer) and isinstance(buffer.obs, Batch):
            raise ValueError(
                "`buffer` must hold vectors for observations. Received Dict observations; load the data with "
                "`obs_keys` into an EpisodeStore, and give `to_buffer(store)`."
            )
        space, shape = self.policy.observation_space, buffer.obs.shape[1:] if len(buffer) else None
        if space is not None and shape is not None and tuple(shape) != space.shape:
            raise ValueError(
                f"`buffer` must hold observations of the policy's shape {space.shape}. Received {shape}; "
                "give data of the same environment, or create the algorithm for these observations."
            )
        made_of_store = getattr(buffer, "env_actions", False)
        store = from_buffer(buffer) if made_of_store else from_buffer(buffer, policy=self.policy)
        check_actions_of("buffer", store, self.policy.action_space)
        return store

    def update(self, buffer: ReplayBuffer, sample_size: int | None) -> TrainingStats:
        """Take one update, with all randomness from the seed and the number of the update."""
        device = torch_device(self.policy)
        devices = [] if device.type == "cpu" else [device]
        with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
            seed = update_seed(self.seed, int(self.updates))
            torch.default_generator.manual_seed(seed)  # `torch.manual_seed` formats a stack for CUDA
            if devices:
                torch.get_device_module(device).manual_seed(seed)
            stats = super().update(buffer, sample_size)
        self.updates += 1
        return stats

    def train(self, mode: bool = True) -> "SeededTraining[AnyPolicy]":
        """Set the mode of all networks; nothing happens if algorithm and policy are already in training."""
        if mode and self.training and self.policy.training:
            return self  # Tianshou calls it twice in an update, a third of the time of small networks
        super().train(mode)
        return self

    def resume_state(self) -> dict[str, Any]:
        """Return the training state: weights, optimizers, counters and the inputs of the training."""
        data = {} if self._data is None else {"data": self._data}
        return {**training_state(self), "inputs": {**self._inputs, **data}}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`.

        Raises:
            CheckpointError: the state is of another algorithm, of other settings or of networks of other
                sizes.
        """
        if state.get("algorithm") == type(self).__name__:
            check_inputs(state.get("inputs"), self._inputs)
        restore_training(self, state)
        self._data, self._resumed = dict(state.get("inputs", {})).get("data"), True

    def check_resumed_data(self, buffer: ReplayBuffer) -> None:
        """Check that a resumed training continues on the data that it was started with.

        Raises:
            CheckpointError: the data or the rewards are others.
        """
        if self._resumed:
            self._set_data(_fingerprint(self._store(buffer)))

    def _set_data(self, fingerprint: str) -> None:
        if self._resumed:
            check_inputs({"data": self._data or fingerprint}, {"data": fingerprint})
        self._data, self._resumed = fingerprint, False


def reward_factor(store: EpisodeStore) -> float:
    """Return the factor that makes the range of returns the mean length of an episode.

    For episodes of 1000 steps this is the scaling of arXiv 2110.06169 (appendix B), 1000 divided by the
    largest minus the smallest return.  A constant return has the factor 1.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> rest = np.zeros((3, 1)), np.zeros((2, 1))
        >>> flags = np.zeros((2, 2))
        >>> pair = [Episode(*rest, np.array(rew), *flags) for rew in ([0.0, 0.0], [5.0, 3.0])]
        >>> reward_factor(EpisodeStore.from_episodes(pair))  # 2 steps / (8 - 0)
        0.25
    """
    returns = np.add.reduceat(store.rew.astype(np.float64), store.step_starts)
    spread = returns.max() - returns.min()
    return float(store.lengths.mean() / spread) if spread > 0 else 1.0


def _fingerprint(store: EpisodeStore) -> str:
    digest = sha256(store_fingerprint(store).encode())
    digest.update(np.ascontiguousarray(store.rew).tobytes())
    return digest.hexdigest()[:32]
