"""Rewards that are written where an algorithm reads them, just before it does.

`Relabel`          any off-policy algorithm on any reward, also one that still moves
`RelabelOnPolicy`  the same for on-policy algorithms
`RelabelMixin`     what both share
`to_transition`    a batch of a buffer as raw units, as rewards judge them
`to_policy_units`  an environment's actions as a policy would have put them into a buffer

Why not at collection, as the wrappers do: a reward that is still being learned has changed by the
time that a stored step is used.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import (
    Algorithm,
    OffPolicyAlgorithm,
    OffPolicyWrapperAlgorithm,
    OnPolicyAlgorithm,
    OnPolicyWrapperAlgorithm,
    Policy,
    TrainingStats,
)
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.torch_utils import torch_train_mode
from torch import nn

from rlpriors.agents.online.resumable import ResumableWrapper
from rlpriors.agents.validation import check_kind
from rlpriors.data.observations import select_observation
from rlpriors.types import RewardFn, Transition

__all__ = ["Relabel", "RelabelMixin", "RelabelOnPolicy", "to_policy_units", "to_transition"]


def to_transition(
    batch: Any, policy: Policy, obs_keys: Sequence[str] | None = None, device: torch.device | str = "cpu"
) -> Transition:
    """What `batch` holds as the environment saw it.

    A buffer holds actions as the policy gave them; `policy.map_action` scales and clips them.
    `obs_keys` are the leaves of a Dict observation, and not used for plain ones.
    """
    given = policy.map_action(batch.act)
    act = given[:, None] if given.ndim == 1 else given
    parts = _observation(batch.obs, obs_keys), act, _observation(batch.obs_next, obs_keys)
    tensors = [torch.as_tensor(np.asarray(part, np.float32), device=device) for part in parts]
    terminated = torch.as_tensor(np.asarray(batch.terminated, bool), device=device)
    return Transition(tensors[0], tensors[1], tensors[2], terminated)


def to_policy_units(policy: Policy, act: np.ndarray) -> np.ndarray:
    """The inverse of `policy.map_action`, for actions that an environment was given.

    Where a tanh bounds actions, those at the bounds have no inverse: they are taken a millionth
    inside.
    """
    if not isinstance(policy.action_space, gym.spaces.Box):
        return act
    low, high = policy.action_space.low, policy.action_space.high
    bounded = np.clip(act, low, high)
    if policy.action_bound_method == "tanh":
        middle = (low + high) / 2
        bounded = middle + (bounded - middle) * (1 - 1e-6)
    return policy.map_action_inverse(bounded).astype(act.dtype)


class RelabelMixin(ResumableWrapper):
    """What both classes share: a reward, and how it judges a batch."""

    twin: ClassVar[str | None] = None
    """The class for algorithms of the other kind."""
    reward: RewardFn
    obs_keys: Sequence[str] | None
    reward_device: torch.device

    def pay(self, algorithm: Algorithm[Any, Any], reward: RewardFn, obs_keys: Sequence[str] | None) -> None:
        if not callable(reward):
            raise TypeError(
                "`reward` must be a reward model, or a function of (obs, act, obs_next, terminated). "
                f"Received {reward!r}; for a saved one give `load_reward(folder)`."
            )
        self.share_schedules(algorithm)
        self.reward = reward
        self.obs_keys = getattr(reward, "obs_keys", None) if obs_keys is None else obs_keys
        tensors = [*reward.parameters(), *reward.buffers()] if isinstance(reward, nn.Module) else []
        self.reward_device = tensors[0].device if tensors else torch.device("cpu")

    def judge(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """The reward of each step of `batch`, in the buffer's double precision."""
        transition = to_transition(batch, self.policy, self.obs_keys, self.reward_device)
        # A module judges as it will when it is published: dropout, power iterations and the like stand still.
        module = self.reward if isinstance(self.reward, nn.Module) else None
        with torch.no_grad(), torch_train_mode(module, False) if module is not None else nullcontext():
            rewards = self.reward(*transition).double().cpu().numpy()
        if rewards.shape != (len(transition.obs),):
            raise ValueError(
                f"`reward` must give one number for each of the {len(transition.obs)} steps. Received shape "
                f"{rewards.shape}."
            )
        if not np.isfinite(rewards).all():
            row = int((~np.isfinite(rewards)).argmax())
            raise ValueError(
                f"`reward` must give finite numbers. Received {rewards[row]} for the step from "
                f"{transition.obs[row].tolist()}; check what it was learned from, or lower its learning rate."
            )
        return rewards


class Relabel(RelabelMixin, OffPolicyWrapperAlgorithm[Any]):
    """An off-policy algorithm (SAC, TD3, DDPG, REDQ, DQN and its kin) that learns from `reward`.

    Tianshou's n-step targets read `buffer.rew`, not the batch: a reward that is written into the
    batch alone has no effect.  So before each target is computed the reward of every step that it
    will read, those sampled and the n - 1 that follow each, is judged and written into the buffer.
    What the environment paid is lost there; log it while collecting.

    Args:
        algorithm: learns as it would by itself, and is not changed.
        reward: judges transitions in raw units; a `RewardModel`, or any function of four tensors.
        obs_keys: leaves of a Dict observation that `reward` reads; by default its own `obs_keys`.

    Raises:
        TypeError: the algorithm is not off-policy, or the reward cannot be called.
        ValueError: the algorithm's number of steps in a target cannot be read, or, in an update,
            the buffer does not keep `obs_next`, or the reward is not one finite number a step.

    Example:
        >>> from tianshou.algorithm import DQN
        >>> from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
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
        advice = f"take `{self.twin}` for an on-policy one" if self.twin else "take one as SAC, TD3 or DQN"
        check_kind("algorithm", algorithm, OffPolicyAlgorithm, advice)
        super().__init__(algorithm)
        self.n_step = _target_steps(algorithm)
        self.pay(algorithm, reward, obs_keys)

    def relabel(self, buffer: ReplayBuffer, indices: np.ndarray) -> None:
        """Write the reward of every step that the targets at `indices` read into `buffer`."""
        rows = [indices]
        for _ in range(self.n_step - 1):
            rows.append(buffer.next(rows[-1]))
        unique = np.unique(np.concatenate(rows))
        if buffer.options["ignore_obs_next"]:
            raise ValueError(
                "`buffer` must keep `obs_next`, as rewards may read it. Received one with "
                "ignore_obs_next=True; make it without."
            )
        buffer.rew[unique] = self.judge(_Rows(buffer, unique))

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.relabel(buffer, indices)
        batch.rew = buffer.rew[indices]  # for algorithms that look at the batch
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return original_stats


class RelabelOnPolicy(RelabelMixin, OnPolicyWrapperAlgorithm[Any]):
    """An on-policy algorithm (PPO, A2C, NPG, TRPO, Reinforce) that learns from `reward`.

    As `Relabel`; the rewards go into the batch, which is the whole of what was collected and is
    what these algorithms read.

    Args:
        algorithm: learns as it would by itself, and is not changed.
        reward: judges transitions in raw units; a `RewardModel`, or any function of four tensors.
        obs_keys: leaves of a Dict observation that `reward` reads; by default its own `obs_keys`.

    Raises:
        TypeError: the algorithm is not on-policy, or the reward cannot be called.
        ValueError: in an update, the reward is not one finite number a step.

    Example:
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
        advice = f"take `{self.twin}` for an off-policy one"
        check_kind("algorithm", algorithm, OnPolicyAlgorithm, advice)
        super().__init__(algorithm)
        self.pay(algorithm, reward, obs_keys)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        batch.rew = self.judge(batch)
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return original_stats


class _Rows:
    """The parts of some rows of a buffer that rewards read; a whole batch would copy every info too."""

    def __init__(self, buffer: ReplayBuffer, rows: np.ndarray) -> None:
        self.obs, self.obs_next = buffer.get(rows, "obs"), buffer.get(rows, "obs_next")
        self.act, self.terminated = buffer.act[rows], buffer.terminated[rows]


def _observation(part: Any, keys: Sequence[str] | None) -> np.ndarray:
    if not isinstance(part, Batch):
        return np.asarray(part)
    return select_observation(part.to_dict(), keys, batch_dims=1)


def _target_steps(algorithm: Algorithm[Any, Any]) -> int:
    while isinstance(algorithm, OffPolicyWrapperAlgorithm):
        algorithm = algorithm.wrapped_algorithm
    for name in ("n_step_return_horizon", "n_step"):
        steps = getattr(algorithm, name, None)
        if isinstance(steps, int):
            return steps
    raise ValueError(
        "`algorithm` must say how many steps its targets read, in `n_step_return_horizon` or `n_step`. "
        f"Received a {type(algorithm).__name__} without either; give it one of them."
    )
