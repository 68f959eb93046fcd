"""Inverse soft Q-learning: one Q function that is policy and reward at once.

`IQLearn`         online: demonstrations and the agent's own steps
`OfflineIQLearn`  offline: demonstrations only
"""

from typing import Any

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import (
    OfflineAlgorithm,
    OffPolicyAlgorithm,
    OffPolicyWrapperAlgorithm,
    TrainingStats,
)
from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer
from torch import Tensor

from rlpriors.agents.imitation.demonstrated_steps import demonstrated_buffer
from rlpriors.agents.imitation.iq_loss import IQLearnSettings, IQLearnStats, iq_loss
from rlpriors.agents.imitation.iq_reward import IQReward
from rlpriors.agents.imitation.soft_values import soft_values
from rlpriors.agents.resumable import ResumableWrapper
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint

__all__ = ["IQLearn", "OfflineIQLearn"]

PARTS = ("obs", "act", "obs_next", "terminated")


class IQLearn(ResumableWrapper, OffPolicyWrapperAlgorithm[Any]):
    """Inverse soft Q-learning (IQ-Learn, arXiv 2106.12142, algorithm 1) over SAC or DQN.

    Q is trained so that its reward r(s, a, s') = Q(s, a) - gamma V(s') is high on demonstrated steps and low
    on the agent's, while the policy is soft-optimal for Q.  There is no discriminator.  The wrapped algorithm
    gives networks, optimizers, temperature and exploration; its own critic loss is not used.  Each of SAC's
    two critics has the loss of its own values.  DQN acts by the largest Q, the mode of the soft policy.

    `algorithm.reward` is the recovered reward, a `RewardFn` in raw units.  As GAIL's, it is not meant for
    other dynamics, which V depends on.

    Args:
        algorithm: SAC for Box actions or DQN for Discrete actions.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        settings: settings of the loss.
        seed: random seed of the sampled demonstrated steps and of the reward's actions.

    Raises:
        TypeError: the algorithm is neither SAC nor DQN.
        ValueError: the demonstrations do not fit the policy's spaces, or, in an update, the buffer is
            prioritized.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.data import Episode
        >>> spaces = gym.spaces.Box(-9, 9, (1,)), gym.spaces.Discrete(2)
        >>> right = Episode(np.arange(5.0)[:, None], np.ones(4, int), *np.zeros((3, 4)))
        >>> store = EpisodeStore.from_episodes([right])
        >>> algorithm = IQLearn(make_algorithm(*spaces, AlgorithmSettings("dqn"), device="cpu"), store)
        >>> store.relabel(algorithm.reward).rew.shape
        (4,)
    """

    updates: Tensor

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        demonstrations: EpisodeStore | ReplayBuffer,
        *,
        settings: IQLearnSettings | None = None,
        seed: int = 0,
    ) -> None:
        chosen = IQLearnSettings() if settings is None else settings
        check_type("settings", chosen, IQLearnSettings, "write IQLearnSettings(name=value)")
        values = soft_values(algorithm, chosen.temperature)
        super().__init__(algorithm)
        self.share_schedules(algorithm)
        self.settings, self.seed, self.values = chosen, seed, values
        store, self.demonstrations = demonstrated_buffer(demonstrations, self.policy)
        self._demonstrated = store_fingerprint(store)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._reward = IQReward(values, self.policy, store, seed)

    @property
    def reward(self) -> IQReward:
        """Recovered reward of the current networks, which changes with them."""
        return self._reward

    def resume_inputs(self) -> dict[str, Any]:
        return {"demonstrations": self._demonstrated, "seed": self.seed, **plain_settings(self.settings)}

    def _n_agent(self, n: int) -> int:
        """Return the number of the agent's rows in a batch of `n`."""
        return n - n // 2

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if isinstance(buffer, PrioritizedReplayBuffer):
            raise ValueError(
                "`buffer` must sample uniformly, because half of each batch comes from the demonstrations. "
                f"Received a {type(buffer).__name__}; use a ReplayBuffer or a VectorReplayBuffer."
            )
        n_agent = self._n_agent(len(indices))
        rng = np.random.default_rng((self.seed, int(self.updates)))
        # At least one demonstrated row: the loss has a mean over them.
        rows = rng.integers(len(self.demonstrations), size=max(1, len(indices) - n_agent))
        halves = [self.demonstrations[rows]] if n_agent == 0 else [batch[:n_agent], self.demonstrations[rows]]
        parts: dict[str, Any] = {
            name: np.concatenate([np.asarray(half[name]) for half in halves]) for name in PARTS
        }
        return Batch(**parts, info=Batch(), n_agent=n_agent)

    def _postprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> None:
        pass

    def _update_with_batch(self, batch: Any) -> IQLearnStats:
        values, settings, n_agent = self.values, self.settings, int(batch.n_agent)
        obs, act, obs_next = (
            torch.as_tensor(batch[name], dtype=torch.float32, device=values.device) for name in PARTS[:3]
        )
        act = act.reshape(len(act), -1)
        following = values.gamma * (~torch.as_tensor(batch.terminated, device=values.device)).float()
        rewards: list[Tensor] = []

        def loss(index: int) -> Tensor:
            with torch.set_grad_enabled(not settings.target_values):
                after = following * values.state_value(index, obs_next, target=settings.target_values)
            q, value = values.action_value(index, obs, act), values.state_value(index, obs)
            result, reward = iq_loss(q, value, after, n_agent, settings.regularization)
            rewards.append(reward.detach())
            return result

        numbers = values.update(loss, obs)
        self.updates += 1
        reward = torch.stack(rewards).mean(0)
        agent = reward[:n_agent].mean().item() if n_agent else 0.0
        return IQLearnStats(
            loss=numbers["loss"],
            actor_loss=numbers["actor_loss"],
            temperature=numbers["temperature"],
            demonstration_reward=reward[n_agent:].mean().item(),
            agent_reward=agent,
        )

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return original_stats


class OfflineIQLearn(OfflineAlgorithm[Any], IQLearn):  # type: ignore[misc]  # two trainers, as Tianshou's CQL
    """Inverse soft Q-learning from demonstrations alone, for Tianshou's offline trainer.

    All rows of a batch are demonstrated (arXiv 2106.12142, section 5.1, the offline objective), so no
    environment is needed.  The buffer of the trainer must be `algorithm.demonstrations`; batches are drawn
    from it with the algorithm's own seed.  Arguments and errors are those of `IQLearn`.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.data import Episode
        >>> spaces = gym.spaces.Box(-9, 9, (1,)), gym.spaces.Discrete(2)
        >>> right = Episode(np.arange(5.0)[:, None], np.ones(4, int), *np.zeros((3, 4)))
        >>> dqn = make_algorithm(*spaces, AlgorithmSettings("dqn"), device="cpu")
        >>> algorithm = OfflineIQLearn(dqn, EpisodeStore.from_episodes([right]))
        >>> algorithm.policy.is_within_training_step = True  # a trainer does this
        >>> algorithm.update(algorithm.demonstrations, sample_size=4).agent_reward
        0.0
    """

    def _n_agent(self, n: int) -> int:
        return 0

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if buffer is not self.demonstrations:
            raise ValueError(
                f"`buffer` must be `algorithm.demonstrations`. Received another {type(buffer).__name__}; use "
                "`IQLearn` to learn from an agent's steps, too."
            )
        return super()._preprocess_batch(batch, buffer, indices)

    def _update_with_batch(self, batch: Any) -> IQLearnStats:
        return IQLearn._update_with_batch(self, batch)
