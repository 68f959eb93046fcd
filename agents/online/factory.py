"""Tianshou's own learners for small observations, built by one call.

`AlgorithmSettings`  which one, and its numbers
`make_algorithm`     SAC, TD3, PPO or DQN with networks of a size, untrained
`save_policy`      what was learned, to act by
`load_policy`      its reverse
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, cast, get_args

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, OnPolicyAlgorithm, Policy
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

from rlpriors import checkpoint
from rlpriors.device import resolve_device

__all__ = ["AlgorithmName", "AlgorithmSettings", "Learner", "load_policy", "make_algorithm", "save_policy"]

AlgorithmName = Literal["sac", "td3", "ppo", "dqn"]

Learner = OffPolicyAlgorithm[Any] | OnPolicyAlgorithm[Any]


@dataclass(frozen=True)
class AlgorithmSettings:
    """Which of Tianshou's algorithms learns, and its numbers.  A field that it has no use for is not read.

    Raises:
        ValueError: a field is out of its bounds.
    """

    algorithm: AlgorithmName = "sac"
    """"sac" and "td3" for Box actions, "dqn" for Discrete ones, "ppo" for both."""

    hidden: tuple[int, ...] = (64, 64)
    """Width of each hidden layer, of actor and critics alike."""

    lr: float = 1e-3
    """Learning rate of Adam, for everything."""

    gamma: float = 0.99
    """Discount of a step."""

    tau: float = 0.005
    """How far target networks move in an update (sac, td3)."""

    n_step: int = 1
    """Rewards that are summed before the target's own value (sac, td3, dqn)."""

    alpha: float | Literal["auto"] = "auto"
    """Weight of the entropy (sac); "auto" keeps the entropy at minus the number of actions' entries."""

    exploration: float = 0.1
    """While learning: the noise's deviation, 1 for half an action's range (td3), or the part of
    random actions (dqn)."""

    target_every: int = 200
    """Updates between copies of the network to the target network (dqn)."""

    gae_lambda: float = 0.95
    """Generalized advantage estimation's lambda (ppo)."""

    clip: float = 0.2
    """How far a probability may move in an update, relatively (ppo)."""

    entropy: float = 0.0
    """Weight of the entropy (ppo)."""

    def __post_init__(self) -> None:
        if self.algorithm not in get_args(AlgorithmName):
            raise ValueError(
                f"`algorithm` must be one of {get_args(AlgorithmName)}. Received {self.algorithm!r}."
            )
        for name in ("n_step", "target_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not all(width >= 1 for width in self.hidden):
            raise ValueError(f"`hidden` must be widths of at least 1. Received {self.hidden}.")
        if not self.lr > 0:
            raise ValueError(f"`lr` must be above 0. Received {self.lr}.")
        if not 0 <= self.gamma < 1:
            raise ValueError(
                f"`gamma` must be in [0, 1). Received {self.gamma}; episodes that are cut short have no "
                "finite value without a discount."
            )
        for name in ("tau", "clip"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"`{name}` must be in (0, 1]. Received {getattr(self, name)}.")
        if not 0 <= self.gae_lambda <= 1:
            raise ValueError(f"`gae_lambda` must be in [0, 1]. Received {self.gae_lambda}.")
        for name in ("exploration", "entropy", "alpha"):
            value = getattr(self, name)
            if value != "auto" and not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")


def make_algorithm(
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    settings: AlgorithmSettings,
    *,
    device: str | torch.device = "auto",
    seed: int = 0,
) -> Learner:
    """An untrained algorithm with perceptrons for actor and critics.

    The spaces are those of the environment that it will act in, wrappers included.  Equal seeds
    give equal first weights; torch's global generator stays as it is.

    Raises:
        ValueError: observations are no Box, a Box is unbounded where actions are scaled to it, or
            the algorithm has no use for such actions.

    Example:
        >>> env = gym.make("Pendulum-v1")
        >>> spaces = env.observation_space, env.action_space
        >>> learner = make_algorithm(*spaces, AlgorithmSettings("td3", hidden=(8,)), device="cpu")
        >>> type(learner).__name__, len(list(learner.policy.parameters()))
        ('TD3', 4)
    """
    if not isinstance(observation_space, gym.spaces.Box):
        raise ValueError(
            f"`observation_space` must be a Box. Received {observation_space}; wrap the environment, for "
            "example in gymnasium.wrappers.FilterObservation and FlattenObservation."
        )
    _check_actions(action_space, settings.algorithm)
    where = resolve_device(device)
    with torch.random.fork_rng(devices=[]):  # networks are made on the CPU, then moved
        torch.manual_seed(seed)
        build: dict[str, Callable[[_Networks, AlgorithmSettings], Learner]] = {
            "sac": _sac,
            "td3": _td3,
            "ppo": _ppo,
            "dqn": _dqn,
        }
        networks = _Networks(observation_space, action_space, settings.hidden, where)
        return build[settings.algorithm](networks, settings)


def save_policy(policy: Policy, settings: AlgorithmSettings, folder: str | Path) -> Path:
    """Publish the policy of a learner as `model.safetensors` and `config.json`, to be read by `load_policy`.

    It holds what acts; critics and optimizers are kept in checkpoints, to go on learning.
    """
    return checkpoint.save(policy, settings, folder)


def load_policy(
    folder: str | Path,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    *,
    device: str | torch.device = "auto",
) -> Policy:
    """The policy that `save_policy` published, ready for a collector in such spaces.

    Raises:
        CheckpointError: the folder or a file is missing or damaged, or does not fit the spaces.

    Example:
        >>> from tempfile import mkdtemp
        >>> env, settings = gym.make("CartPole-v1"), AlgorithmSettings("dqn", hidden=(8,))
        >>> spaces = env.observation_space, env.action_space
        >>> folder = save_policy(make_algorithm(*spaces, settings, device="cpu").policy, settings, mkdtemp())
        >>> type(load_policy(folder, *spaces, device="cpu")).__name__
        'DiscreteQLearningPolicy'
    """

    def build(settings: dict[str, Any]) -> Policy:
        hidden = tuple(settings.pop("hidden"))
        learner = make_algorithm(
            observation_space, action_space, AlgorithmSettings(**settings, hidden=hidden), device="cpu"
        )
        return cast(Policy, learner.policy)

    kinds = (SACPolicy, ContinuousDeterministicPolicy, ProbabilisticActorPolicy, DiscreteActorPolicy)
    classes = {kind.__name__: build for kind in (*kinds, DiscreteQLearningPolicy)}
    return cast(Policy, checkpoint.load(folder, classes, resolve_device(device)).eval())


class _Networks:
    """Perceptrons that fit two spaces, on their device before any optimizer sees them."""

    def __init__(
        self,
        observation_space: gym.spaces.Box,
        action_space: gym.Space[Any],
        hidden: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.hidden, self.device = hidden, device
        self.spaces: dict[str, Any] = {"observation_space": observation_space, "action_space": action_space}
        discrete = isinstance(action_space, gym.spaces.Discrete)
        self.n_actions = int(action_space.n) if isinstance(action_space, gym.spaces.Discrete) else 0
        self.act_shape = (self.n_actions,) if discrete else tuple(action_space.shape or ())

    def body(self, **kwargs: Any) -> Net:
        return Net(state_shape=self.observation_space.shape, hidden_sizes=self.hidden, **kwargs)

    def gaussian_actor(self, **kwargs: Any) -> ContinuousActorProbabilistic:
        actor = ContinuousActorProbabilistic(
            preprocess_net=self.body(), action_shape=self.act_shape, unbounded=True, **kwargs
        )
        return actor.to(self.device)

    def critic(self) -> ContinuousCritic:
        body = self.body(action_shape=self.act_shape, concat=True)
        return ContinuousCritic(preprocess_net=body).to(self.device)


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
            policy.actor.sigma_param.fill_(-0.5)  # a deviation of 0.6: fewer actions are clipped
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
        target_update_freq=settings.target_every,
    )


def _normal(loc_scale: tuple[Tensor, Tensor]) -> Distribution:
    return Independent(Normal(*loc_scale), 1)


def _check_actions(space: gym.Space[Any], algorithm: AlgorithmName) -> None:
    wanted: dict[str, tuple[type, ...]] = {
        "sac": (gym.spaces.Box,),
        "td3": (gym.spaces.Box,),
        "ppo": (gym.spaces.Box, gym.spaces.Discrete),
        "dqn": (gym.spaces.Discrete,),
    }
    if not isinstance(space, wanted[algorithm]):
        fits = [name for name, kinds in wanted.items() if isinstance(space, kinds)]
        remedy = f"take one of {fits}" if fits else "wrap the environment, for example in TransformAction"
        kinds = " or ".join(kind.__name__ for kind in wanted[algorithm])
        raise ValueError(f"`action_space` must be {kinds} for {algorithm!r}. Received {space}; {remedy}.")
    if isinstance(space, gym.spaces.Box) and not np.isfinite([space.low, space.high]).all():
        raise ValueError(
            f"`action_space` must be bounded, as actions are scaled to it. Received {space}; wrap the "
            "environment in gymnasium.wrappers.RescaleAction or ClipAction with bounds."
        )
    if isinstance(space, gym.spaces.Discrete) and space.start != 0:
        raise ValueError(
            f"`action_space` must begin at 0. Received {space}; wrap the environment in TransformAction."
        )
