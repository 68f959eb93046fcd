"""Factory of Tianshou's online algorithms for vector observations.

`make_algorithm`   untrained SAC, TD3, PPO or DQN for an environment's spaces
`OnlineAlgorithm`  type of these algorithms
"""

from collections.abc import Callable
from math import prod
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, OnPolicyAlgorithm
from tianshou.algorithm.modelfree.ddpg import ContinuousDeterministicPolicy
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy, ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SAC, AutoAlpha, SACPolicy
from tianshou.algorithm.modelfree.td3 import TD3
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.exploration import GaussianNoise
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import (
    ContinuousActorDeterministic,
    ContinuousActorProbabilistic,
    ContinuousCritic,
)
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from rlpriors.agents.online.normalized_net import NormalizedNet
from rlpriors.agents.online.settings import AlgorithmName, AlgorithmSettings
from rlpriors.arguments import check_arguments
from rlpriors.build_budget import MachineBudget
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.spaces.actions import check_continuous

__all__ = ["OnlineAlgorithm", "make_algorithm"]

OnlineAlgorithm = OffPolicyAlgorithm[Any] | OnPolicyAlgorithm[Any]


@check_arguments
def make_algorithm(
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    settings: AlgorithmSettings,
    *,
    obs_normalizer: Normalizer | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> OnlineAlgorithm:
    """Create an untrained algorithm with multilayer perceptrons for actor and critics.

    The spaces are those of the wrapped environment.  Equal seeds give equal initial weights; torch's
    global generator does not change.

    Args:
        observation_space: Box of observations.
        action_space: Box or Discrete actions.
        settings: settings of the algorithm.
        obs_normalizer: map of the flat observation before the first layer of all networks, if
            `settings.normalize_observations` is True; by default the identity, for weights that are loaded.
        device: device of the networks.
        seed: random seed of the initial weights.

    Raises:
        ValueError: the observation space is not a Box, the action space is unbounded, the algorithm
            does not support its type, the networks need more than the machine's memory, or the normalizer
            has another size or is not used.

    Example:
        >>> env = gym.make("Pendulum-v1")
        >>> spaces = env.observation_space, env.action_space
        >>> td3 = make_algorithm(*spaces, AlgorithmSettings("td3", hidden=(8,)), device="cpu")
        >>> type(td3).__name__, len(list(td3.policy.parameters()))
        ('TD3', 4)
    """
    if not isinstance(observation_space, gym.spaces.Box):
        raise ValueError(
            f"`observation_space` must be a Box. Received {observation_space}; wrap the environment, for "
            "example in gymnasium.wrappers.FilterObservation and FlattenObservation."
        )
    _check_actions(action_space, settings.algorithm)
    normalizer = _normalizer(observation_space, settings, obs_normalizer)
    torch_device = resolve_device(device)
    # Networks are created on the CPU, then moved.
    with torch.random.fork_rng(devices=[]), MachineBudget(hidden=settings.hidden):
        torch.manual_seed(seed)
        build: dict[str, Callable[[_Networks, AlgorithmSettings], OnlineAlgorithm]] = {
            "sac": _sac,
            "td3": _td3,
            "ppo": _ppo,
            "dqn": _dqn,
        }
        networks = _Networks(observation_space, action_space, settings.hidden, normalizer, torch_device)
        return build[settings.algorithm](networks, settings)


class _Networks:
    """Networks for two spaces, moved to their device before an optimizer is created."""

    def __init__(
        self,
        observation_space: gym.spaces.Box,
        action_space: gym.Space[Any],
        hidden: tuple[int, ...],
        normalizer: Normalizer | None,
        device: torch.device,
    ) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.hidden, self.normalizer, self.device = hidden, normalizer, device
        self.spaces: dict[str, Any] = {"observation_space": observation_space, "action_space": action_space}
        discrete = isinstance(action_space, gym.spaces.Discrete)
        self.n_actions = int(action_space.n) if isinstance(action_space, gym.spaces.Discrete) else 0
        self.act_shape = (self.n_actions,) if discrete else tuple(action_space.shape or ())

    def body(self, **kwargs: Any) -> Net:
        sizes: dict[str, Any] = {"state_shape": self.observation_space.shape, "hidden_sizes": self.hidden}
        if self.normalizer is None:
            return Net(**sizes, **kwargs)
        return NormalizedNet(self.normalizer, **sizes, **kwargs)

    def gaussian_actor(self, **kwargs: Any) -> ContinuousActorProbabilistic:
        actor = ContinuousActorProbabilistic(
            preprocess_net=self.body(), action_shape=self.act_shape, unbounded=True, **kwargs
        )
        return actor.to(self.device)

    def critic(self) -> ContinuousCritic:
        body = self.body(action_shape=self.act_shape, concat=True)
        return ContinuousCritic(preprocess_net=body).to(self.device)


def _normalizer(
    space: gym.spaces.Box, settings: AlgorithmSettings, given: Normalizer | None
) -> Normalizer | None:
    """Return the map of observations, or None for raw ones."""
    if not settings.normalize_observations:
        if given is not None:
            raise ValueError(
                "`obs_normalizer` is used only with AlgorithmSettings(normalize_observations=True). Received "
                f"a normalizer of {given.dim} entries."
            )
        return None
    size = prod(space.shape)
    normalizer = Normalizer.identity(size) if given is None else given
    if normalizer.dim != size:
        raise ValueError(
            f"`obs_normalizer` must have the {size} entries of an observation. Received {normalizer.dim}."
        )
    return normalizer


def _sac(nets: _Networks, settings: AlgorithmSettings) -> SAC[Any]:
    optim = AdamOptimizerFactory(lr=settings.lr)
    alpha: Any = settings.alpha
    if alpha == "auto":
        alpha = AutoAlpha(-float(prod(nets.act_shape)), 0.0, optim).to(nets.device)
    return SAC(
        policy=SACPolicy(actor=nets.gaussian_actor(conditioned_sigma=True), **nets.spaces),
        policy_optim=optim,
        critic=nets.critic(),
        critic_optim=optim,
        critic2=nets.critic(),
        alpha=alpha,
        gamma=settings.gamma,
        tau=settings.tau,
        n_step_return_horizon=settings.n_step,
    )


def _td3(nets: _Networks, settings: AlgorithmSettings) -> TD3:
    optim = AdamOptimizerFactory(lr=settings.lr)
    actor = ContinuousActorDeterministic(preprocess_net=nets.body(), action_shape=nets.act_shape)
    noise = GaussianNoise(sigma=settings.exploration)
    return TD3(
        policy=ContinuousDeterministicPolicy(
            actor=actor.to(nets.device), exploration_noise=noise, **nets.spaces
        ),
        policy_optim=optim,
        critic=nets.critic(),
        critic_optim=optim,
        critic2=nets.critic(),
        gamma=settings.gamma,
        tau=settings.tau,
        n_step_return_horizon=settings.n_step,
    )


def _ppo(nets: _Networks, settings: AlgorithmSettings) -> PPO:
    policy: Any
    critic: torch.nn.Module
    if nets.n_actions:
        actor = DiscreteActor(preprocess_net=nets.body(), action_shape=nets.act_shape, softmax_output=False)
        policy = DiscreteActorPolicy(actor=actor.to(nets.device), deterministic_eval=True, **nets.spaces)
        critic = DiscreteCritic(preprocess_net=nets.body())
    else:
        policy = ProbabilisticActorPolicy(
            actor=nets.gaussian_actor(), dist_fn=_normal, deterministic_eval=True, **nets.spaces
        )
        with torch.no_grad():
            policy.actor.sigma_param.fill_(-0.5)  # standard deviation 0.6: fewer actions are clipped
        critic = ContinuousCritic(preprocess_net=nets.body())
    return PPO(
        policy=policy,
        critic=critic.to(nets.device),
        optim=AdamOptimizerFactory(lr=settings.lr),
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        eps_clip=settings.clip,
        ent_coef=settings.entropy,
        max_grad_norm=0.5,
    )


def _dqn(nets: _Networks, settings: AlgorithmSettings) -> DQN[Any]:
    policy: Any = DiscreteQLearningPolicy(
        model=nets.body(action_shape=nets.n_actions).to(nets.device),
        eps_training=settings.exploration,
        **nets.spaces,
    )
    return DQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=settings.lr),
        gamma=settings.gamma,
        n_step_return_horizon=settings.n_step,
        target_update_freq=settings.target_update_interval,
    )


def _normal(loc_scale: tuple[Tensor, Tensor]) -> Distribution:
    return Independent(Normal(*loc_scale), 1)


def _check_actions(space: gym.Space[Any], algorithm: AlgorithmName) -> None:
    supported: dict[str, tuple[type, ...]] = {
        "sac": (gym.spaces.Box,),
        "td3": (gym.spaces.Box,),
        "ppo": (gym.spaces.Box, gym.spaces.Discrete),
        "dqn": (gym.spaces.Discrete,),
    }
    if not isinstance(space, supported[algorithm]):
        others = [name for name, types in supported.items() if isinstance(space, types)]
        remedy = f"use one of {others}" if others else "wrap the environment, for example in TransformAction"
        types = " or ".join(kind.__name__ for kind in supported[algorithm])
        raise ValueError(f"`action_space` must be {types} for {algorithm!r}. Received {space}; {remedy}.")
    check_continuous(space)
    if isinstance(space, gym.spaces.Box) and not np.isfinite([space.low, space.high]).all():
        raise ValueError(
            f"`action_space` must be bounded, because actions are scaled to it. Received {space}; wrap the "
            "environment in gymnasium.wrappers.RescaleAction or ClipAction with bounds."
        )
    if isinstance(space, gym.spaces.Discrete) and space.start != 0:
        raise ValueError(
            f"`action_space` must begin at 0. Received {space}; wrap the environment in TransformAction."
        )
