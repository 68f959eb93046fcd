"""Relabeling: rewards computed just before an algorithm reads them.

`Relabel`          off-policy algorithm that learns from any reward, including one that is still trained
`RelabelOnPolicy`  on-policy algorithm that learns from any reward
`RelabelMixin`     reward evaluation shared by both

The wrappers compute rewards during collection.  A reward that is still trained changes between the
collection of a step and its use, so this module computes it in the update.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import (
    Algorithm,
    OffPolicyAlgorithm,
    OffPolicyWrapperAlgorithm,
    OnPolicyAlgorithm,
    OnPolicyWrapperAlgorithm,
    TrainingStats,
)
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.torch_utils import torch_train_mode
from torch import nn

from rlpriors.agents.online.action_units import to_transition
from rlpriors.agents.resumable import ResumableWrapper
from rlpriors.agents.resume_inputs import reward_fingerprint
from rlpriors.agents.validation import check_type
from rlpriors.data.observation_layout import ObservationLayout, check_layouts
from rlpriors.rewards.records.layout_record import select_keys
from rlpriors.spaces.actions import check_action_spaces
from rlpriors.types import RewardFn, Transition

__all__ = ["Relabel", "RelabelMixin", "RelabelOnPolicy"]


class RelabelMixin(ResumableWrapper):
    """Mixin of relabeling algorithms: a reward and its evaluation on batches."""

    twin: ClassVar[str | None] = None
    """Name of the class for algorithms of the other kind."""
    reward: RewardFn
    obs_keys: Sequence[str] | None
    reward_device: torch.device

    def set_reward(
        self, algorithm: Algorithm[Any, Any], reward: RewardFn, obs_keys: Sequence[str] | None
    ) -> None:
        """Set the reward and share the algorithm's schedules; called once, by the constructor."""
        if not callable(reward):
            raise TypeError(
                "`reward` must be a reward model, or a function of (obs, act, obs_next, terminated). "
                f"Received {reward!r}; for a saved one give `load_reward(folder)`."
            )
        space = getattr(reward, "discrete_space", None)
        check_action_spaces("`reward`", space, "the policy", algorithm.policy.action_space)
        self.share_schedules(algorithm)
        self.reward = reward
        self._initial_reward = reward_fingerprint(reward)
        recorded = getattr(reward, "obs_layout", None)
        chosen = None if obs_keys is None else ObservationLayout(tuple(obs_keys))
        read = check_layouts("`reward`", recorded, "`obs_keys`", chosen)
        self.obs_keys = None if read is None else read.keys
        tensors = [*reward.parameters(), *reward.buffers()] if isinstance(reward, nn.Module) else []
        self.reward_device = tensors[0].device if tensors else torch.device("cpu")

    def resume_inputs(self) -> dict[str, Any]:
        """Return the fingerprint of the reward, unless it has been trained: then its state is restored."""
        reward = reward_fingerprint(self.reward)
        return {"reward": reward} if reward == self._initial_reward else {}

    def read_transition(self, batch: Any, reward: object) -> Transition:
        """Return the transitions of a batch with the leaves that `reward` recorded, in raw units."""
        if isinstance(batch.obs, Batch):  # raises if the reward recorded others, or would guess their order
            select_keys(reward, batch.obs.to_dict(), self.obs_keys, batch_dims=1)
        return to_transition(batch, self.policy, self.obs_keys, self.reward_device)

    def compute_rewards(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """Compute the reward of each step of `batch`, in the buffer's double precision."""
        transition = self.read_transition(batch, self.reward)
        # In evaluation mode, as after saving: without dropout or power iterations.
        module = self.reward if isinstance(self.reward, nn.Module) else None
        with torch.no_grad(), torch_train_mode(module, False) if module is not None else nullcontext():
            rewards = self.reward(*transition).double().cpu().numpy()
        if rewards.shape != (len(transition.obs),):
            raise ValueError(
                f"`reward` must return one number for each of the {len(transition.obs)} steps. "
                f"Received shape {rewards.shape}."
            )
        if not np.isfinite(rewards).all():
            row = int((~np.isfinite(rewards)).argmax())
            raise ValueError(
                f"`reward` must return finite numbers. Received {rewards[row]} for the step from "
                f"{transition.obs[row].tolist()}; check its training data, or lower its learning rate."
            )
        return rewards


class Relabel(RelabelMixin, OffPolicyWrapperAlgorithm[Any]):
    """Off-policy algorithm (SAC, TD3, DDPG, REDQ, DQN and similar) that learns from `reward`.

    Tianshou's n-step targets read `buffer.rew` instead of the batch, so a reward written only into the
    batch has no effect.  Before each target is computed, the rewards of all steps that it reads (the
    sampled ones and the n - 1 that follow each) are therefore computed and written into the buffer.  The
    environment's reward is overwritten there; log it during collection.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        reward: reward of transitions in raw units: a `RewardModel`, or any function of four tensors.
        obs_keys: leaves of a Dict observation that `reward` reads; by default its own `obs_keys`.

    Raises:
        TypeError: the algorithm is not off-policy, or the reward is not callable.
        ValueError: the number of steps in the algorithm's targets is unknown, or, in an update, the
            buffer does not store `obs_next`, or the reward is not one finite number per step.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm import DQN
        >>> from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.data import Batch
        >>> from tianshou.utils.net.common import Net
        >>> net, actions = Net(state_shape=1, action_shape=2, hidden_sizes=[8]), gym.spaces.Discrete(2)
        >>> policy = DiscreteQLearningPolicy(model=net, action_space=actions)
        >>> dqn = DQN(policy=policy, optim=AdamOptimizerFactory())
        >>> algorithm = Relabel(dqn, lambda obs, act, obs_next, terminated: 2 * obs_next[:, 0])
        >>> buffer = ReplayBuffer(10)
        >>> _ = buffer.add(Batch(obs=np.zeros(1), act=1, rew=0.0, obs_next=np.ones(1), terminated=False,
        ...                      truncated=True))
        >>> policy.is_within_training_step = True  # a trainer does this
        >>> _ = algorithm.update(buffer, sample_size=4)
        >>> buffer.rew[:1]
        array([2.])
    """

    twin: ClassVar[str | None] = "RelabelOnPolicy"

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        reward: RewardFn,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        advice = f"use `{self.twin}` for an on-policy one" if self.twin else "use one, as SAC, TD3 or DQN"
        check_type("algorithm", algorithm, OffPolicyAlgorithm, advice)
        super().__init__(algorithm)
        self.n_step = _target_steps(algorithm)
        self.set_reward(algorithm, reward, obs_keys)

    def target_rows(self, buffer: ReplayBuffer, indices: np.ndarray) -> np.ndarray:
        """Return the rows of `buffer` whose rewards the targets at `indices` read, each once."""
        rows = [indices]
        for _ in range(self.n_step - 1):
            rows.append(buffer.next(rows[-1]))
        return np.unique(np.concatenate(rows))

    def relabel(self, buffer: ReplayBuffer, indices: np.ndarray) -> None:
        """Write the rewards of all steps that the targets at `indices` read into `buffer`."""
        unique = self.target_rows(buffer, indices)
        if buffer.options["ignore_obs_next"]:
            raise ValueError(
                "`buffer` must store `obs_next`, because rewards may read it. Received one with "
                "ignore_obs_next=True; create it without."
            )
        buffer.rew[unique] = self.compute_rewards(_Rows(buffer, unique))

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.relabel(buffer, indices)
        batch.rew = buffer.rew[indices]  # for algorithms that read the batch
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return original_stats


class RelabelOnPolicy(RelabelMixin, OnPolicyWrapperAlgorithm[Any]):
    """On-policy algorithm (PPO, A2C, NPG, TRPO, Reinforce) that learns from `reward`.

    The rewards are written into the batch, which contains the whole collection and is the input of these
    algorithms.  Otherwise as `Relabel`.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        reward: reward of transitions in raw units: a `RewardModel`, or any function of four tensors.
        obs_keys: leaves of a Dict observation that `reward` reads; by default its own `obs_keys`.

    Raises:
        TypeError: the algorithm is not on-policy, or the reward is not callable.
        ValueError: in an update, the reward is not one finite number per step.

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
        >>> algorithm = RelabelOnPolicy(reinforce, lambda obs, act, obs_next, terminated: obs_next[:, 0])
        >>> algorithm.wrapped_algorithm is reinforce
        True
    """

    twin = "Relabel"

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        reward: RewardFn,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        advice = f"use `{self.twin}` for an off-policy one"
        check_type("algorithm", algorithm, OnPolicyAlgorithm, advice)
        super().__init__(algorithm)
        self.set_reward(algorithm, reward, obs_keys)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        batch.rew = self.compute_rewards(batch)
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return original_stats


class _Rows:
    """Fields of some buffer rows that rewards read; a whole batch would also copy every info."""

    def __init__(self, buffer: ReplayBuffer, rows: np.ndarray) -> None:
        self.obs, self.obs_next = buffer.get(rows, "obs"), buffer.get(rows, "obs_next")
        self.act, self.terminated = buffer.act[rows], buffer.terminated[rows]


def _target_steps(algorithm: Algorithm[Any, Any]) -> int:
    while isinstance(algorithm, OffPolicyWrapperAlgorithm):
        algorithm = algorithm.wrapped_algorithm
    for name in ("n_step_return_horizon", "n_step"):
        n_steps = getattr(algorithm, name, None)
        if isinstance(n_steps, int):
            return n_steps
    raise ValueError(
        "`algorithm` must have the number of steps that its targets read, as `n_step_return_horizon` or "
        f"`n_step`. Received a {type(algorithm).__name__} without either; add one of them."
    )
