"""Factory of offline algorithms for vector observations.

`make_offline_algorithm`  untrained IQL, TD3+BC, CQL or behavior cloning for an environment's spaces
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium as gym
import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from rlpriors.agents.offline.iql import IQL
from rlpriors.agents.offline.quantile_policy import N_QUANTILES, make_quantile_policy
from rlpriors.agents.offline.seeded_training import SeededTraining
from rlpriors.agents.offline.settings import OfflineSettings
from rlpriors.agents.offline.tianshou_algorithms import SeededCQL, SeededDiscreteCQL, SeededTD3BC
from rlpriors.agents.online.factory import make_algorithm
from rlpriors.agents.online.settings import AlgorithmName
from rlpriors.arguments import check_arguments
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device

__all__ = ["make_offline_algorithm"]

_Online = Callable[..., Any]
"""Function from the name of an online algorithm to a new one, whose networks are taken."""


@check_arguments
def make_offline_algorithm(
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    settings: OfflineSettings,
    *,
    obs_normalizer: Normalizer | None = None,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> SeededTraining[Any]:
    """Create an untrained offline algorithm with multilayer perceptrons.

    Train it with `train_offline` or Tianshou's trainer on `to_buffer(store)`, and save its policy with
    `save_policy(algorithm.policy, settings.policy_settings(discrete=...), folder)`.

    Args:
        observation_space: Box of observations.
        action_space: Box or Discrete actions.
        settings: settings of the algorithm.
        obs_normalizer: map of the flat observation before the first layer of all networks, if
            `settings.normalize_observations` is True: `Normalizer.gaussian(store.obs)`.
        device: device of the networks.
        seed: random seed of the initial weights, batches and noise.

    Raises:
        ValueError: the observation space is not a Box, the action space is unbounded, the algorithm does not
            support its type, or the normalizer has another size or is not used.

    Example:
        >>> env = gym.make("Pendulum-v1")
        >>> spaces = env.observation_space, env.action_space
        >>> iql = make_offline_algorithm(*spaces, OfflineSettings(hidden=(8,)), device="cpu")
        >>> type(iql).__name__, type(iql.policy).__name__
        ('IQL', 'ProbabilisticActorPolicy')
    """
    if settings.algorithm == "td3-bc" and isinstance(action_space, gym.spaces.Discrete):
        raise ValueError(
            f"`action_space` must be Box for 'td3-bc'. Received {action_space}; use 'iql', 'cql' or 'bc'."
        )

    def online(name: AlgorithmName, number: int = 0, **changes: Any) -> Any:
        arguments = {"obs_normalizer": obs_normalizer, "device": device, **changes}
        seeds = seed + 1_000_003 * number
        return make_algorithm(
            observation_space, action_space, settings.networks(name), seed=seeds, **arguments
        )

    common = {"seed": seed, "reward_scale": settings.reward_scale, "gamma": settings.gamma}
    if settings.algorithm == "td3-bc":
        return _td3_bc(online, settings, common)
    if settings.algorithm == "cql" and isinstance(action_space, gym.spaces.Discrete):
        return _discrete_cql(online, settings, common, device)
    if settings.algorithm == "cql":
        return _cql(online, settings, common)
    return _iql(online, replace(settings, beta=0.0) if settings.algorithm == "bc" else settings, common)


def _iql(online: _Online, settings: OfflineSettings, common: dict[str, Any]) -> IQL:
    stochastic = online("ppo")
    discrete = isinstance(stochastic.policy.action_space, gym.spaces.Discrete)
    policy = stochastic.policy
    if discrete:
        critics = [online("dqn", number).policy.model for number in (1, 2)]
    else:
        deterministic = online("td3", 1)
        critics = [deterministic.critic, deterministic.critic2]
        policy = deterministic.policy if settings.deterministic else policy
    return IQL(
        policy=policy,
        critic=critics[0],
        critic2=critics[1],
        value=stochastic.critic,
        optim=AdamOptimizerFactory(lr=settings.lr),
        tau=settings.tau,
        expectile=settings.expectile,
        beta=settings.beta,
        max_weight=settings.max_weight,
        **common,
    )


def _td3_bc(online: _Online, settings: OfflineSettings, common: dict[str, Any]) -> SeededTD3BC:
    td3, optim = online("td3"), AdamOptimizerFactory(lr=settings.lr)
    return SeededTD3BC(
        policy=td3.policy,
        policy_optim=optim,
        critic=td3.critic,
        critic2=td3.critic2,
        critic_optim=optim,
        tau=settings.tau,
        alpha=settings.td3_bc_alpha,
        **common,
    )


def _cql(online: _Online, settings: OfflineSettings, common: dict[str, Any]) -> SeededCQL:
    sac, optim = online("sac"), AdamOptimizerFactory(lr=settings.lr)
    return SeededCQL(
        policy=sac.policy,
        policy_optim=optim,
        critic=sac.critic,
        critic2=sac.critic2,
        critic_optim=optim,
        alpha=sac.alpha,
        cql_weight=settings.cql_weight,
        tau=settings.tau,
        **common,
    )


def _discrete_cql(
    online: _Online, settings: OfflineSettings, common: dict[str, Any], device: str | torch.device
) -> SeededDiscreteCQL:
    dqn = online("dqn", device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(common["seed"])
        policy = make_quantile_policy(dqn.policy)
    to = resolve_device(device)
    algorithm = SeededDiscreteCQL(
        policy=policy.to(to),
        optim=AdamOptimizerFactory(lr=settings.lr),
        min_q_weight=settings.cql_weight,
        num_quantiles=N_QUANTILES,
        target_update_freq=max(1, round(1 / settings.tau)),
        **common,
    )
    return algorithm.to(to)
