"""Base class of rewards for exploration.

`ExplorationReward`    reward of observation and action that changes in every environment step
`ExplorationSettings`  inputs and weight of such a reward
"""

from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.data.normalize import Normalizer
from rlpriors.networks.base import check_at_least
from rlpriors.rewards.mlp import MLPReward, RewardInput, RewardSettings
from rlpriors.rewards.validation import check_factors

__all__ = ["ExplorationReward", "ExplorationSettings"]


@dataclass(frozen=True)
class ExplorationSettings(RewardSettings):
    """Inputs and weight of a reward for exploration.

    Raises:
        ValueError: a field is out of its bounds.
    """

    inputs: tuple[RewardInput, ...] = ("obs", "act")
    """Inputs of the features; must be ("obs", "act"), because a policy compares actions by the reward."""

    beta: float = field(default=1.0, kw_only=True)
    """Factor of the reward, at least 0."""

    seed: int = field(default=0, kw_only=True)
    """Random seed of the initial weights, at least 0."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inputs != ("obs", "act"):
            raise ValueError(f'`inputs` must be ("obs", "act"). Received {self.inputs}.')
        if self.spectral_norm:
            raise ValueError("`spectral_norm` must be False for a reward of exploration. Received True.")
        check_at_least(0, seed=self.seed)
        check_factors(beta=(self.beta,))
        if self.beta < 0:
            raise ValueError(f"`beta` must be at least 0. Received {self.beta}.")


class ExplorationReward(MLPReward):
    """Base class of rewards r(s, a) that fall where the agent has been.

    `observe` counts steps: call it once for each environment step.  `loss` trains the weights, if there are
    any, on steps of a replay buffer, any number of times.  `forget` undoes `observe`.
    `rlpriors.agents.exploration.Explore` calls all three.

    The reward never reads the next observation, so that a policy can compare the actions of a state by
    `action_rewards`.
    """

    settings: ExplorationSettings
    is_trained: bool = False
    """True if `loss` has weights to train."""

    def __init__(self, settings: ExplorationSettings, normalizer: Normalizer | None = None) -> None:
        with torch.random.fork_rng(devices=[]):  # weights that are not used
            super().__init__(settings, normalizer)
        self.net = nn.Sequential()  # subclasses have other parts

    @abstractmethod
    def observe(self, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"]) -> None:
        """Count environment steps, each of which must be passed once."""

    @abstractmethod
    def forget(self) -> None:
        """Forget all counted steps; trained weights stay."""

    def loss(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
    ) -> Float[Tensor, ""]:
        """Return the loss of the weights on steps of a replay buffer.

        Raises:
            ValueError: the reward has no weights to train.
        """
        raise ValueError(f"A {type(self).__name__} of these settings has no weights to train.")

    @torch.no_grad()
    def action_rewards(self, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, "batch actions"]:
        """Return the reward of each Discrete action in each state.

        Raises:
            ValueError: the actions are not Discrete.
        """
        n = self.n_actions
        if n is None:
            raise ValueError("`settings.n_actions` must be the size of a Discrete space. Received None.")
        actions = torch.eye(n, device=obs.device, dtype=obs.dtype).repeat(len(obs), 1)
        if n == 1:  # a single column is the action's number
            actions = torch.full_like(actions, float(self.action_start))
        states = obs.repeat_interleave(n, 0)
        rewards = self.from_features(self.features(states, actions, states))
        return rewards.reshape(len(obs), n)
