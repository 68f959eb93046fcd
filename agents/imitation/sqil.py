"""Soft Q imitation learning: reward 1 for demonstrated steps, reward 0 for the agent's steps.

`SQIL`  soft Q imitation learning with any off-policy algorithm
"""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, TrainingStats
from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer
from torch import Tensor

from rlpriors.agents.imitation.demonstrated_steps import demonstrated_buffer
from rlpriors.agents.online.relabel import Relabel
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint

__all__ = ["SQIL"]

PARTS = ("obs", "act", "rew", "terminated", "truncated", "done", "obs_next", "returns")


class SQIL(Relabel):
    """Soft Q imitation learning (1905.11108, algorithm 1, with lambda 1), over an off-policy algorithm.

    Half of every batch is demonstrated, with reward 1, and half is the agent's, with reward 0.  The
    paper's algorithm is soft Q-learning: with SAC the value is soft as in the paper, with DQN it is a
    maximum.  It needs the same number of environment steps as the algorithm alone and no discriminator,
    and it learns no reward.

    Args:
        algorithm: algorithm that learns from such batches, unchanged.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        demonstration_reward: reward of a demonstrated step.
        agent_reward: reward of an agent's step.
        seed: random seed of the sampled demonstrated steps.

    Raises:
        ValueError: a reward is not finite, the demonstrations' observations or actions are not of the
            policy's spaces, or, in an update, the buffer is prioritized.

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
        demonstration_reward: float = 1.0,
        agent_reward: float = 0.0,
        seed: int = 0,
    ) -> None:
        for name, reward in (("demonstration_reward", demonstration_reward), ("agent_reward", agent_reward)):
            if not math.isfinite(reward):
                raise ValueError(f"`{name}` must be finite. Received {reward}; the paper's are 1 and 0.")
        super().__init__(algorithm, self._constant_reward)
        self.agent_reward, self.seed = agent_reward, seed
        store, self.demonstrations = demonstrated_buffer(demonstrations, self.policy)
        self._demonstrated = store_fingerprint(store)
        self.demonstrations.rew[:] = demonstration_reward
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def _constant_reward(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        return torch.full((len(obs),), self.agent_reward)

    def resume_inputs(self) -> dict[str, Any]:
        rewards = {
            "agent_reward": self.agent_reward,
            "demonstration_reward": float(self.demonstrations.rew[0]),
        }
        return {"demonstrations": self._demonstrated, **rewards, "seed": self.seed}

    def compute_rewards(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """Return the constant reward of the agent's steps."""
        return np.full(len(batch.terminated), self.agent_reward)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if isinstance(buffer, PrioritizedReplayBuffer):
            raise ValueError(
                "`buffer` must sample uniformly, because half of each batch comes from the demonstrations. "
                f"Received a {type(buffer).__name__}; use a ReplayBuffer or a VectorReplayBuffer."
            )
        n_agent = len(indices) - len(indices) // 2
        agent = super()._preprocess_batch(batch[:n_agent], buffer, indices[:n_agent])
        rng = np.random.default_rng((self.seed, int(self.updates)))
        rows = rng.integers(len(self.demonstrations), size=len(indices) - n_agent)
        if not len(rows):
            return agent
        expert: Any = self.wrapped_algorithm._preprocess_batch(
            self.demonstrations[rows], self.demonstrations, rows
        )
        both = [Batch({name: part[name] for name in PARTS if name in part}) for part in (agent, expert)]
        joined = Batch.cat(both)
        joined.info = Batch()  # policies require it; demonstrations have none
        return joined

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        self.updates += 1
        return original_stats
