"""Progress of failures (SRPO) against sparse and shaped rewards on a long corridor.

`METHODS`   rewards by name
`progress`  success rates of one method over its training
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OnPolicyAlgorithm
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step
from torch import Tensor

from benchmarks.weak_labels.corridor import GOAL, STEPS, Corridor, path_length
from rlpriors.agents import AlgorithmSettings, ProgressOnPolicy, RelabelOnPolicy, make_algorithm
from rlpriors.training.rollout import temporary_seed

__all__ = ["GROUP", "METHODS", "TURNS", "progress"]

GROUP, GAMMA = 16, 0.99
TURNS = (0.7,)


def _shaped(potential: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Tensor]:
    """Return the sparse reward with potential-based shaping (Ng et al. 1999)."""

    def reward(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        before, after = (torch.from_numpy(potential(part.numpy())).float() for part in (obs, obs_next))
        return terminated.float() + GAMMA * after * ~terminated - before

    return reward


METHODS: dict[str, Callable[[OnPolicyAlgorithm[Any], float], OnPolicyAlgorithm[Any]]] = {
    "sparse": lambda algorithm, turn: algorithm,
    "progress_last": lambda algorithm, turn: ProgressOnPolicy(algorithm, pool="last"),
    "progress_mean": lambda algorithm, turn: ProgressOnPolicy(algorithm, pool="mean"),
    "shaping_straight": lambda algorithm, turn: RelabelOnPolicy(
        algorithm, _shaped(lambda obs: -np.linalg.norm(obs - GOAL, axis=1))
    ),
    "shaping_path": lambda algorithm, turn: RelabelOnPolicy(
        algorithm, _shaped(lambda obs: -path_length(obs, turn))
    ),
}
"""Algorithms by reward.  "shaping_straight" knows the goal, "shaping_path" also the way to it."""


def progress(method: str, seed: int, n_groups: int, turn: float) -> Iterator[tuple[int, float]]:
    """Yield the fraction of successes of each group of 16 episodes, as it is collected for training."""
    envs = DummyVectorEnv([lambda: Corridor(turn)] * GROUP)
    settings = AlgorithmSettings("ppo", hidden=(32, 32), lr=1e-3, gamma=GAMMA)
    space = Corridor.observation_space, Corridor.action_space
    ppo = make_algorithm(*space, settings, device="cpu", seed=seed)
    algorithm = METHODS[method](cast(OnPolicyAlgorithm[Any], ppo), turn)
    buffer = VectorReplayBuffer(GROUP * STEPS, GROUP)
    collector: Collector[Any] = Collector(algorithm.policy, envs, buffer)
    with temporary_seed(np.random.SeedSequence(seed), envs):
        collector.reset()
        for group in range(n_groups):
            with policy_within_training_step(algorithm.policy):
                collected = collector.collect(n_episode=GROUP)
                algorithm.update(buffer, 256, 4)
            collector.reset_buffer(keep_statistics=True)
            yield group, float(np.mean(collected.returns > 0))
    envs.close()
