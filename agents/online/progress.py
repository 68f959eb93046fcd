"""On-policy learning from the progress of failures toward the successes of the same batch (SRPO).

`ProgressOnPolicy`  on-policy algorithm that reads one reward for each episode of a collection
`SuccessFn`         type of functions that decide which episodes succeeded
`positive_return`   success by a positive return
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from tianshou.algorithm.algorithm_base import (
    OnPolicyAlgorithm,
    OnPolicyWrapperAlgorithm,
    TrainingStats,
)
from tianshou.data import ReplayBuffer

from rlpriors.agents.resumable import ResumableWrapper
from rlpriors.agents.validation import check_type
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.progress.embeddings import Pool, embed_episodes
from rlpriors.rewards.progress.episode_progress import ProgressSettings, episode_progress

__all__ = ["ProgressOnPolicy", "SuccessFn", "positive_return"]

SuccessFn = Callable[[EpisodeStore], Bool[np.ndarray, " episodes"]]
"""Function from episodes, with the environment's rewards, to one boolean for each."""


def positive_return(store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
    """Return True for each episode with a positive sum of rewards, as in tasks with rewards of 0 and 1."""
    sums: np.ndarray = np.add.reduceat(store.rew.astype(np.float64), store.step_starts)
    return sums > 0


class ProgressOnPolicy(ResumableWrapper, OnPolicyWrapperAlgorithm[Any]):
    """On-policy algorithm (PPO, A2C, Reinforce) that learns from `episode_progress` of each collection.

    The environment must report success, and needs no other reward.  Before each update, the rewards of the
    collection are replaced: the last step of an episode gets 1 for a success and at most `most` for a
    failure, by its closeness to the successes of this collection; all other steps get 0.  Collect whole
    episodes (`n_episode`): an unfinished one gets 0.

    A collection without a success has no reward at all.  The method shortens the way from the first
    successes to many, and does not find the first.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        success: function that decides which episodes succeeded; a positive return by default.
        encode: function from observations to features; by default the flattened observations.
        pool: summary of an episode, see `embed_episodes`.
        last: number of last observations for the summary "last".
        settings: settings of clusters and reward.
        obs_keys: leaves of a Dict observation that are compared.

    Raises:
        TypeError: the algorithm is not on-policy.
        ValueError: in an update, the buffer does not store `obs_next`, or `success` returns something else.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm import Reinforce
        >>> from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> from tianshou.utils.net.common import Net
        >>> actor = DiscreteActor(preprocess_net=Net(state_shape=1, hidden_sizes=[8]), action_shape=2)
        >>> policy = DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))
        >>> reinforce = Reinforce(policy=policy, optim=AdamOptimizerFactory())
        >>> ProgressOnPolicy(reinforce, pool="last").wrapped_algorithm is reinforce
        True
    """

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        success: SuccessFn = positive_return,
        *,
        encode: Callable[[Shaped[np.ndarray, "n *obs"]], Float[np.ndarray, "n dim"]] | None = None,
        pool: Pool = "mean",
        last: int = 1,
        settings: ProgressSettings | None = None,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        check_type("algorithm", algorithm, OnPolicyAlgorithm, "use one, as PPO, A2C or Reinforce")
        super().__init__(algorithm)
        self.share_schedules(algorithm)
        self.success, self.encode, self.last = success, encode, last
        self.pool: Pool = pool
        self.settings = ProgressSettings() if settings is None else settings
        self.obs_keys = obs_keys
        self.success_rate = 0.0
        """Fraction of successful episodes in the last collection."""

    def episode_rewards(self, store: EpisodeStore) -> Float[np.ndarray, " episodes"]:
        """Return the reward of each episode of a collection that has the environment's rewards."""
        success = self.success(store)
        if not isinstance(success, np.ndarray) or success.shape != (store.n_episodes,):
            raise ValueError(
                f"`success` must return one boolean for each of the {store.n_episodes} episodes. Received "
                f"{success!r}."
            )
        success = success.astype(bool)
        self.success_rate = float(success.mean())
        rewards = episode_progress(
            embed_episodes(store, self.encode, self.pool, self.last), success, self.settings
        )
        ends = store.step_starts + store.lengths - 1
        return np.where(store.terminated[ends] | store.truncated[ends], rewards, 0.0)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        # The batch of an on-policy update has all rows of the buffer in the order of `from_buffer`.
        store = from_buffer(buffer, self.obs_keys, policy=self.policy)
        rewards = np.zeros(len(batch.rew))
        rewards[store.step_starts + store.lengths - 1] = self.episode_rewards(store)
        batch.rew = rewards
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return original_stats
