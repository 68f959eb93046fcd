"""Baselines: behavior cloning, adversarial reward learning and SQIL.

`clone`            behavior cloning
`clone_diffusion`  diffusion policy trained by behavior cloning
`adversarial`      GAIL, AIRL or DRAIL around SAC
`sqil`             SQIL around SAC
"""

from collections.abc import Callable
from typing import Any

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.experiment import Experiment, MethodResult, train
from rlpriors.agents import (
    SQIL,
    AdversarialIRL,
    BehaviorCloning,
    BehaviorCloningPolicy,
    DiffusionCloning,
    DiffusionPolicy,
)
from rlpriors.rewards import AIRLReward, AIRLSettings, DRAILReward, DRAILSettings, GAILReward, GAILSettings
from rlpriors.training.online import OnlineSettings, train_online

__all__ = ["adversarial", "airl", "clone", "clone_diffusion", "drail", "gail", "sqil"]


def clone(experiment: Experiment) -> MethodResult:
    """Train a policy by behavior cloning."""
    torch.manual_seed(experiment.seed)
    environment = experiment.environment
    policy = BehaviorCloningPolicy.fit(
        experiment.demonstrations,
        environment.spaces[1],
        obs_keys=environment.obs_keys,
        device="cpu",
        seed=experiment.seed,
    )
    algorithm = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=experiment.seed)
    train(algorithm, experiment.demonstrations, environment.budget.cloning_updates, 128)
    return MethodResult(policy)


def clone_diffusion(experiment: Experiment) -> MethodResult:
    """Train a diffusion policy by behavior cloning."""
    torch.manual_seed(experiment.seed)
    environment = experiment.environment
    policy = DiffusionPolicy.fit(
        experiment.demonstrations,
        environment.spaces[1],
        horizon=8,
        width=128,
        obs_keys=environment.obs_keys,
        device="cpu",
        seed=experiment.seed,
    )
    algorithm = DiffusionCloning(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), seed=experiment.seed)
    train(algorithm, experiment.demonstrations, environment.budget.cloning_updates, 128)
    return MethodResult(policy)


def adversarial(make: Callable[[Experiment], Any], lr: float = 3e-4) -> Callable[[Experiment], MethodResult]:
    """Return a method that trains a discriminator together with SAC in the environment."""

    def learn(experiment: Experiment) -> MethodResult:
        torch.manual_seed(experiment.seed)
        discriminator = make(experiment)
        algorithm = AdversarialIRL(
            experiment.sac(),
            discriminator=discriminator,
            demonstrations=experiment.demonstrations,
            optim=AdamOptimizerFactory(lr=lr),
            seed=experiment.seed,
        )
        train_in_environment(experiment, algorithm)
        return MethodResult(algorithm.policy, discriminator.requires_grad_(False))

    return learn


def train_in_environment(experiment: Experiment, algorithm: Any) -> None:
    """Train online for the number of steps that SAC has on a learned reward."""
    env_steps = experiment.environment.budget.env_steps
    settings = OnlineSettings(
        env_steps=env_steps, random_steps=min(1600, env_steps // 32 * 16), update_per_step=0.125
    )
    train_online(
        algorithm, experiment.environment.vector, settings=settings, seed=experiment.seed, progress=False
    )


def gail(experiment: Experiment) -> GAILReward:
    """Return the untrained discriminator of GAIL."""
    settings = GAILSettings(**experiment.reward_sizes(), form="logit")
    return GAILReward(settings, experiment.layout.normalizer)


def airl(experiment: Experiment) -> AIRLReward:
    """Return the untrained discriminator of AIRL."""
    settings = AIRLSettings(**experiment.reward_sizes(), gamma=0.97)
    return AIRLReward(settings, experiment.layout.normalizer)


def drail(experiment: Experiment) -> DRAILReward:
    """Return the untrained discriminator of DRAIL."""
    return DRAILReward(DRAILSettings(**experiment.reward_sizes()), experiment.layout.normalizer)


def sqil(experiment: Experiment) -> MethodResult:
    """Train SQIL around SAC."""
    algorithm = SQIL(experiment.sac(), experiment.demonstrations, seed=experiment.seed)
    train_in_environment(experiment, algorithm)
    return MethodResult(algorithm.policy)
