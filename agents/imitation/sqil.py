"""Imitation without any learned reward: demonstrations are worth 1, the agent's own steps 0.

`SQIL`  soft Q imitation learning, over any off-policy algorithm
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, TrainingStats
from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer
from torch import Tensor

from rlpriors.agents.online.relabel import Relabel, to_policy_units
from rlpriors.data.buffers import from_buffer, to_buffer
from rlpriors.data.episodes import EpisodeStore

__all__ = ["SQIL"]

PARTS = ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next", "returns")


class SQIL(Relabel):
    """Half of every batch is demonstrated, with reward 1, half the agent's own, with reward 0.

    Soft Q imitation learning (1905.11108, algorithm 1, their lambda of 1).  The paper's algorithm
    is soft Q-learning; over SAC the value is soft as there, over DQN it is a maximum.  It needs as
    many environment steps as the algorithm itself, no discriminator, and learns no reward.

    Args:
        algorithm: learns as it would by itself from such batches.
        demonstrations: episodes in raw units (a buffer's actions are taken as they stand).
        demonstrated_reward: of a demonstrated step.
        own_reward: of a step of the agent.
        seed: source of the demonstrated steps drawn.

    Raises:
        ValueError: a reward is not finite, the demonstrations' observations or actions are not of the
            policy's sizes, or, in an update, the buffer gives priorities.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm import DQN
        >>> from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.utils.net.common import Net
        >>> from rlpriors.data import Episode
        >>> net, actions = Net(state_shape=1, action_shape=2, hidden_sizes=[8]), gym.spaces.Discrete(2)
        >>> policy = DiscreteQLearningPolicy(model=net, action_space=actions)
        >>> right = Episode(np.arange(5.0)[:, None], np.ones(4, int), *np.zeros((3, 4)))
        >>> dqn = DQN(policy=policy, optim=AdamOptimizerFactory())
        >>> algorithm = SQIL(dqn, EpisodeStore.from_episodes([right]))
        >>> algorithm.demonstrations.rew
        array([1., 1., 1., 1.])
    """

    twin = None
    updates: Tensor

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        demonstrations: EpisodeStore | ReplayBuffer,
        *,
        demonstrated_reward: float = 1.0,
        own_reward: float = 0.0,
        seed: int = 0,
    ) -> None:
        for name, reward in (("demonstrated_reward", demonstrated_reward), ("own_reward", own_reward)):
            if not math.isfinite(reward):
                raise ValueError(f"`{name}` must be finite. Received {reward}; the paper's are 1 and 0.")
        super().__init__(algorithm, self._own_reward)
        self.own_reward, self.seed = own_reward, seed
        store = demonstrations if isinstance(demonstrations, EpisodeStore) else from_buffer(demonstrations)
        self._check(store)
        self.demonstrations = to_buffer(store)
        self.demonstrations.rew[:] = demonstrated_reward
        self.demonstrations.act[:] = to_policy_units(self.policy, store.act)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def _own_reward(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        return torch.full((len(obs),), self.own_reward)

    def judge(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """The reward of the agent's own steps, without looking at them."""
        return np.full(len(batch.terminated), self.own_reward)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if isinstance(buffer, PrioritizedReplayBuffer):
            raise ValueError(
                "`buffer` must draw evenly, since half of each batch comes from the demonstrations. Received "
                f"a {type(buffer).__name__}; take a ReplayBuffer or a VectorReplayBuffer."
            )
        n_own = len(indices) - len(indices) // 2
        own = super()._preprocess_batch(batch[:n_own], buffer, indices[:n_own])
        rng = np.random.default_rng((self.seed, int(self.updates)))
        rows = rng.integers(len(self.demonstrations), size=len(indices) - n_own)
        if not len(rows):
            return own
        expert: Any = self.wrapped_algorithm._preprocess_batch(
            self.demonstrations[rows], self.demonstrations, rows
        )
        both = [Batch({name: part[name] for name in PARTS if name in part}) for part in (own, expert)]
        joined = Batch.cat(both)
        joined.info = Batch()  # policies ask for it; that of demonstrations is not known
        return joined

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        self.updates += 1
        return original_stats

    def _check(self, store: EpisodeStore) -> None:
        spaces = {"obs": self.policy.observation_space, "act": self.policy.action_space}
        for name, space in spaces.items():
            found = getattr(store, name).shape[1:]
            if space is not None and space.shape != found:
                what = "observations" if name == "obs" else "actions"
                raise ValueError(
                    f"`demonstrations` must hold {what} of shape {space.shape}, as the policy's. Received "
                    f"{found}; give them in the form that the agent's environment uses."
                )
