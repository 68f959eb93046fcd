"""Implicit Q-learning.

`IQL`       offline algorithm that never queries values of actions outside the data
`IQLStats`  numbers of an update
"""

from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import LaggedNetworkPolyakUpdateAlgorithmMixin, Policy, TrainingStats
from tianshou.algorithm.modelfree.ddpg import ContinuousDeterministicPolicy
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy, ProbabilisticActorPolicy
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.utils.torch_utils import torch_device
from torch import Tensor, nn

from rlpriors.agents.offline.losses import advantage_weights, expectile_loss, q_targets
from rlpriors.agents.offline.seeded_training import RewardScale, SeededTraining
from rlpriors.agents.validation import check_type

__all__ = ["IQL", "IQLStats"]


@dataclass(kw_only=True)
class IQLStats(TrainingStats):
    """Numbers of an update of `IQL`."""

    loss: float
    """Loss of the policy."""
    value_loss: float = 0.0
    """Expectile loss of the state value."""
    critic_loss: float = 0.0
    """Sum of the squared errors of both action values."""
    value: float = 0.0
    """Mean state value, in scaled rewards."""
    advantage_weight: float = 1.0
    """Mean weight of an action."""


class IQL(SeededTraining[Policy], LaggedNetworkPolyakUpdateAlgorithmMixin):
    """Implicit Q-learning (arXiv 2110.06169) from recorded transitions.

    The state value V is an expectile of the action values of recorded actions.  The two action values Q
    regress on `rew + gamma V(s')`.  The policy clones the data with weights `exp(beta * advantage)`, in which
    the advantage is the smaller moving average of the two Q minus V.  No network is evaluated at an action
    that the data do not contain.

    With `beta=0` all weights are 1.  The policy is then a clone of the data, and values are not trained.

    Args:
        policy: policy with a normal distribution (`ProbabilisticActorPolicy`), a deterministic one
            (`ContinuousDeterministicPolicy`, whose log-probability is minus the squared error), or logits of
            Discrete actions (`DiscreteActorPolicy`).
        critic: network Q(s, a) from observation and action to [batch, 1]; for Discrete actions from the
            observation to [batch, actions].
        critic2: second network of this kind, with other weights.
        value: network V(s) from the observation to [batch, 1].
        optim: factory of the optimizer of all networks, which treats each weight on its own, as Adam does.
        gamma: discount factor.
        tau: step size of the moving averages of both Q in an update, in (0, 1].
        expectile: expectile of the state value, in (0, 1); 0.5 evaluates the data's policy, and higher
            values approach its best actions.
        beta: inverse temperature of the weights, at least 0, in units of one over a scaled reward.
        max_weight: bound on a weight.
        reward_scale: factor on rewards; "auto" makes the range of returns the mean length of an episode.
        seed: random seed of batches.

    Raises:
        TypeError: `policy` is of another class, such as SAC's squashed one.
        ValueError: an argument is out of its bounds.

    Example:
        >>> import gymnasium as gym
        >>> import numpy as np
        >>> from rlpriors.agents.offline.factory import make_offline_algorithm
        >>> from rlpriors.agents.offline.settings import OfflineSettings
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> space = gym.spaces.Discrete(2)
        >>> walk = Episode(np.zeros((9, 1)), np.arange(8) % 2, np.arange(8) % 2, *np.zeros((2, 8)))
        >>> data = EpisodeStore.from_episodes([walk] * 8, action_space=space)  # action 1 has the reward 1
        >>> settings = OfflineSettings(hidden=(8,), lr=1e-2, normalize_observations=False, reward_scale=1.0)
        >>> iql = make_offline_algorithm(gym.spaces.Box(-1, 1, (1,)), space, settings, device="cpu")
        >>> buffer = iql.process_buffer(to_buffer(data))
        >>> iql.policy.is_within_training_step = True  # a trainer does this
        >>> stats = [iql.update(buffer, 64) for _ in range(100)]
        >>> int(iql.policy.actor(np.zeros((1, 1)))[0].argmax())
        1
    """

    def __init__(
        self,
        *,
        policy: Policy,
        critic: nn.Module,
        critic2: nn.Module,
        value: nn.Module,
        optim: OptimizerFactory,
        gamma: float = 0.99,
        tau: float = 0.005,
        expectile: float = 0.7,
        beta: float = 3.0,
        max_weight: float = 100.0,
        reward_scale: RewardScale = 1.0,
        seed: int = 0,
    ) -> None:
        kinds = (ProbabilisticActorPolicy, DiscreteActorPolicy, ContinuousDeterministicPolicy)
        if type(policy) not in kinds:
            check_type("policy", policy, kinds, "take that of `make_offline_algorithm`")
        if not 0 < expectile < 1:
            raise ValueError(f"`expectile` must be in (0, 1). Received {expectile}.")
        if not 0 <= gamma < 1:
            raise ValueError(f"`gamma` must be in [0, 1). Received {gamma}.")
        for name, bound, least in (("beta", beta, 0), ("max_weight", max_weight, 1)):
            if not bound >= least:
                raise ValueError(f"`{name}` must be at least {least}. Received {bound}.")
        super().__init__(policy=policy)
        LaggedNetworkPolyakUpdateAlgorithmMixin.__init__(self, tau=tau)
        self.critic, self.critic2, self.value = critic, critic2, value
        self.gamma, self.expectile, self.beta, self.max_weight = gamma, expectile, beta, max_weight
        # One step on the sum of all losses, which share no weights, costs a third of the time of three.
        self.optim = self._create_optimizer(nn.ModuleList([policy, critic, critic2, value]), optim)
        self.critic_old, self.critic2_old = (self._add_lagged_network(net) for net in (critic, critic2))
        inputs = {"gamma": gamma, "tau": tau, "expectile": expectile, "beta": beta, "max_weight": max_weight}
        self._start_training(seed, reward_scale, inputs)

    def _update_with_batch(self, batch: Any) -> IQLStats:
        device = torch_device(self.policy)
        obs, obs_next, rew = (
            torch.as_tensor(batch[name], dtype=torch.float32, device=device)
            for name in ("obs", "obs_next", "rew")
        )
        act = torch.as_tensor(batch.act, device=device)
        if self.beta == 0:
            loss = -self._log_prob(obs, act).mean()
            self.optim.step(loss)
            return IQLStats(loss=loss.item())
        terminated = torch.as_tensor(batch.terminated, device=device)
        with torch.no_grad():
            target = torch.minimum(*(_q(net, obs, act) for net in (self.critic_old, self.critic2_old)))
            target_next = q_targets(rew, self.value(obs_next).flatten(), terminated, self.gamma)
        value = self.value(obs).flatten()
        value_loss = expectile_loss(target - value, self.expectile)
        errors = [_q(net, obs, act) - target_next for net in (self.critic, self.critic2)]
        critic_loss = torch.stack(errors).square().mean(1).sum()
        weights = advantage_weights((target - value).detach(), self.beta, self.max_weight)
        loss = -(weights * self._log_prob(obs, act)).mean()
        self.optim.step(loss + value_loss + critic_loss)
        self._update_lagged_network_weights()
        return IQLStats(
            loss=loss.item(),
            value_loss=value_loss.item(),
            critic_loss=critic_loss.item(),
            value=value.mean().item(),
            advantage_weight=weights.mean().item(),
        )

    def _log_prob(self, obs: Tensor, act: Tensor) -> Tensor:
        """Return the log-probability of actions in the policy's units, up to a constant."""
        policy = cast(Any, self.policy)
        output = policy.actor(obs)[0]
        if isinstance(policy, ContinuousDeterministicPolicy):
            squared: Tensor = (output - act).square().sum(1)
            return -squared
        return cast(Tensor, policy.dist_fn(output).log_prob(act))


def _q(critic: nn.Module, obs: Tensor, act: Tensor) -> Tensor:
    """Return the values [batch] of actions: one row of a Box, or the number of a Discrete action."""
    if act.ndim == 2:
        return cast(Tensor, critic(obs, act)).flatten()
    output = critic(obs)
    values: Tensor = output[0] if isinstance(output, tuple) else output
    return values.gather(1, act[:, None]).flatten()
