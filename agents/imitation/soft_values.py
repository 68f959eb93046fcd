"""Soft values of Tianshou's SAC and DQN: the parts that inverse soft Q-learning trains.

`SoftValues`       interface: action values, soft state values and one update
`SACSoftValues`    critics and actor of SAC
`DQNSoftValues`    network of DQN, with the soft maximum over its actions
`soft_values`      either, by the class of the algorithm
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import log
from typing import Any

import torch
from jaxtyping import Float
from tianshou.algorithm.modelfree.dqn import DQN
from tianshou.algorithm.modelfree.sac import SAC
from tianshou.data import Batch
from torch import Tensor, nn
from torch.distributions import Normal

__all__ = ["DQNSoftValues", "SACSoftValues", "SoftValues", "soft_values"]

Loss = Callable[[int], Tensor]


class SoftValues(ABC):
    """Action values Q and soft state values V of one or more critics, in units of the policy's actions."""

    n_critics: int
    gamma: float

    @abstractmethod
    def action_value(
        self, index: int, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, " batch"]:
        """Return Q(s, a) of critic `index`."""

    @abstractmethod
    def state_value(
        self,
        index: int,
        obs: Float[Tensor, "batch obs"],
        *,
        noise: Float[Tensor, "draws act"] | None = None,
        target: bool = False,
    ) -> Float[Tensor, " batch"]:
        """Return V(s) of critic `index`, or of its target network.

        An actor's expectation is estimated by one random action, or by the mean over those of `noise`.
        """

    @abstractmethod
    def update(self, loss: Loss, obs: Float[Tensor, "batch obs"]) -> dict[str, float]:
        """Minimize `loss(index)` of each critic once, then update actor, temperature and targets."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the networks."""


class SACSoftValues(SoftValues):
    """Soft values of SAC: V(s) = E_pi [Q(s, a) - alpha log pi(a|s)], one for each critic.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> box = gym.spaces.Box(-1, 1, (3,))
        >>> values = SACSoftValues(make_algorithm(box, box, AlgorithmSettings("sac"), device="cpu"))
        >>> values.state_value(0, torch.zeros(5, 3)).shape, values.n_critics
        (torch.Size([5]), 2)
    """

    n_critics = 2

    def __init__(self, sac: SAC[Any]) -> None:
        self.sac, self.gamma = sac, sac.gamma

    def action_value(
        self, index: int, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, " batch"]:
        value: Tensor = (self.sac.critic, self.sac.critic2)[index](obs, act)
        return value.flatten()

    def state_value(
        self,
        index: int,
        obs: Float[Tensor, "batch obs"],
        *,
        noise: Float[Tensor, "draws act"] | None = None,
        target: bool = False,
    ) -> Float[Tensor, " batch"]:
        sac = self.sac
        critics = (sac.critic_old, sac.critic2_old) if target else (sac.critic, sac.critic2)
        with torch.no_grad():
            (loc, scale), _ = sac.policy.actor(obs)
            if noise is None:
                raw = (loc + scale * torch.randn_like(loc))[None]
            else:
                raw = loc + scale * noise[:, None]
            act = raw.tanh()
            # log(1 - tanh(x)^2), without cancellation
            slope = 2 * (log(2) - raw - nn.functional.softplus(-2 * raw))
            bonus = -sac.alpha.value * (Normal(loc, scale).log_prob(raw) - slope).sum(-1)
        flat = obs.expand(len(act), *obs.shape).flatten(0, 1)
        value: Tensor = critics[index](flat, act.flatten(0, 1))
        values: Tensor = (value.reshape(bonus.shape) + bonus).mean(0)
        return values

    def update(self, loss: Loss, obs: Float[Tensor, "batch obs"]) -> dict[str, float]:
        sac = self.sac
        losses = [loss(0), loss(1)]
        for optim, critic_loss in zip((sac.critic_optim, sac.critic2_optim), losses, strict=True):
            optim.step(critic_loss)
        result: Any = sac.policy(Batch(obs=obs, info=Batch()))
        lower = torch.min(self.action_value(0, obs, result.act), self.action_value(1, obs, result.act))
        actor_loss = (sac.alpha.value * result.log_prob.flatten() - lower).mean()
        sac.policy_optim.step(actor_loss)
        sac.alpha.update(-result.log_prob.detach())
        sac._update_lagged_network_weights()
        mean_loss = float(sum(each.item() for each in losses)) / 2
        return {"loss": mean_loss, "actor_loss": actor_loss.item(), "temperature": float(sac.alpha.value)}

    @property
    def device(self) -> torch.device:
        return _device(self.sac.policy)


class DQNSoftValues(SoftValues):
    """Soft values of DQN: V(s) = T log sum_a exp(Q(s, a) / T) at a fixed temperature T.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> spaces = gym.spaces.Box(-1, 1, (3,)), gym.spaces.Discrete(2)
        >>> dqn = make_algorithm(*spaces, AlgorithmSettings("dqn"), device="cpu")
        >>> DQNSoftValues(dqn, temperature=0.1).state_value(0, torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    n_critics = 1

    def __init__(self, dqn: DQN[Any], temperature: float) -> None:
        self.dqn, self.gamma, self.temperature = dqn, dqn.gamma, temperature

    def action_value(
        self, index: int, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, " batch"]:
        return self._values(obs, False).gather(1, act.long().reshape(-1, 1))[:, 0]

    def state_value(
        self,
        index: int,
        obs: Float[Tensor, "batch obs"],
        *,
        noise: Float[Tensor, "draws act"] | None = None,
        target: bool = False,
    ) -> Float[Tensor, " batch"]:
        return self.temperature * (self._values(obs, target) / self.temperature).logsumexp(1)

    def update(self, loss: Loss, obs: Float[Tensor, "batch obs"]) -> dict[str, float]:
        self.dqn._periodically_update_lagged_network_weights()
        value = loss(0)
        self.dqn.optim.step(value)
        return {"loss": value.item(), "actor_loss": 0.0, "temperature": self.temperature}

    def _values(self, obs: Tensor, target: bool) -> Tensor:
        lagged = self.dqn.model_old if target else None  # None without target network, too
        values: Tensor = (self.dqn.policy.model if lagged is None else lagged)(obs)[0]
        return values

    @property
    def device(self) -> torch.device:
        return _device(self.dqn.policy)


def soft_values(algorithm: object, temperature: float) -> SoftValues:
    """Return the soft values of `algorithm`; `temperature` is that of a DQN.

    Raises:
        TypeError: the algorithm is neither SAC nor DQN.
    """
    if isinstance(algorithm, SAC):
        return SACSoftValues(algorithm)
    if isinstance(algorithm, DQN):
        return DQNSoftValues(algorithm, temperature)
    raise TypeError(
        "`algorithm` must be SAC for Box actions or DQN for Discrete actions. Received a "
        f"{type(algorithm).__name__}; create one of them with `make_algorithm`."
    )


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
