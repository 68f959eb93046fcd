"""Imitation baselines: behavior cloning, adversarial reward learning, SQIL and IQ-Learn.

`clone`            behavior cloning
`clone_diffusion`  diffusion policy trained by behavior cloning
`adversarial`      GAIL, AIRL or DRAIL around the algorithm that is trained on learned rewards
`sqil`             SQIL around this algorithm
`iq_learn`         IQ-Learn around this algorithm
`train_in_environment`  training for the budget of a policy on a learned reward
"""

from collections.abc import Callable
from typing import Any

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.experiment import Experiment, MethodResult, train
from rlpriors.agents import (
    SQIL,
    AdversarialIRL,
    AdversarialSettings,
    BehaviorCloning,
    BehaviorCloningPolicy,
    DiffusionCloning,
    DiffusionPolicy,
    IQLearn,
    IQLearnSettings,
)
from rlpriors.rewards import AIRLReward, AIRLSettings, DRAILReward, DRAILSettings, GAILReward, GAILSettings
from rlpriors.training.online import OnlineSettings, train_online

__all__ = [
    "adversarial",
    "airl",
    "clone",
    "clone_diffusion",
    "drail",
    "gail",
    "iq_learn",
    "sqil",
    "train_in_environment",
]


def clone(experiment: Experiment) -> MethodResult:
    """Train a policy by behavior cloning."""
    torch.manual_seed(experiment.seed)
    environment, knobs = experiment.environment, experiment.knobs
    policy = BehaviorCloningPolicy.fit(
        experiment.demonstrations,
        environment.spaces[1],
        obs_keys=environment.obs_keys,
        device="cpu",
        seed=experiment.seed,
    )
    optim = AdamOptimizerFactory(lr=knobs.get("lr", 1e-3))
    algorithm = BehaviorCloning(policy=policy, optim=optim, seed=experiment.seed)
    updates = max(1, round(environment.budget.cloning_updates * knobs.get("length", 1.0)))
    train(algorithm, experiment.demonstrations, updates, 128)
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


def adversarial(
    make: Callable[[Experiment], Any],
    *,
    lr: float = 3e-4,
    gradient_penalty: float | None = None,
    temperature: float | None = None,
) -> Callable[[Experiment], MethodResult]:
    """Return a method that trains a discriminator together with an agent in the environment.

    Args:
        make: returns the untrained discriminator.
        lr: learning rate of the discriminator; the knob "lr" replaces it.
        gradient_penalty: weight of the discriminator's gradient penalty, None for the library's default; the
            knob "gradient_penalty" replaces it.
        temperature: fixed entropy weight of SAC; None adapts it.  AIRL's reward is that of a policy whose
            entropy weight is 1.
    """

    def learn(experiment: Experiment) -> MethodResult:
        torch.manual_seed(experiment.seed)
        knobs = experiment.knobs
        discriminator = make(experiment)
        penalty = knobs.get("gradient_penalty", gradient_penalty)
        alpha = knobs.get("temperature", temperature)
        algorithm = AdversarialIRL(
            experiment.agent(**({} if alpha is None else {"alpha": alpha})),
            discriminator=discriminator,
            demonstrations=experiment.demonstrations,
            optim=AdamOptimizerFactory(lr=knobs.get("lr", lr)),
            settings=AdversarialSettings(gradient_penalty=penalty),
            seed=experiment.seed,
        )
        steps = train_in_environment(experiment, algorithm)
        return MethodResult(
            algorithm.policy, discriminator.requires_grad_(False), {"environment_steps": steps}
        )

    return learn


def train_in_environment(experiment: Experiment, algorithm: Any) -> float:
    """Train for the steps of a policy on a learned reward, with half its updates; return the steps."""
    budget = experiment.policy_budget
    settings = OnlineSettings(
        env_steps=budget.env_steps,
        random_steps=budget.random_steps,
        update_per_step=max(budget.update_per_step / 2, 1 / 16 + 1e-9),
    )
    result = train_online(
        algorithm, experiment.environment.vector, settings=settings, seed=experiment.seed, progress=False
    )
    return float(result.env_steps)


def gail(experiment: Experiment) -> GAILReward:
    """Return the untrained discriminator of GAIL."""
    settings = GAILSettings(**experiment.reward_sizes(), form="logit")
    return GAILReward(settings, experiment.normalizer)


def airl(experiment: Experiment) -> AIRLReward:
    """Return the untrained discriminator of AIRL."""
    gamma = experiment.policy_budget.algorithm.gamma
    settings = AIRLSettings(**experiment.reward_sizes(), gamma=gamma)
    return AIRLReward(settings, experiment.normalizer)


def drail(experiment: Experiment) -> DRAILReward:
    """Return the untrained discriminator of DRAIL."""
    return DRAILReward(DRAILSettings(**experiment.reward_sizes()), experiment.normalizer)


def sqil(experiment: Experiment) -> MethodResult:
    """Train SQIL."""
    knobs = experiment.knobs
    agent = experiment.agent(**({"lr": knobs["lr"]} if "lr" in knobs else {}))
    algorithm = SQIL(agent, experiment.demonstrations, seed=experiment.seed)
    steps = train_in_environment(experiment, algorithm)
    return MethodResult(algorithm.policy, metrics={"environment_steps": steps})


def iq_learn(experiment: Experiment) -> MethodResult:
    """Train IQ-Learn."""
    knobs = experiment.knobs
    settings = IQLearnSettings(
        regularization=knobs.get("regularization", 0.5), target_values=knobs.get("target_values", False)
    )
    algorithm = IQLearn(
        experiment.agent(), experiment.demonstrations, settings=settings, seed=experiment.seed
    )
    steps = train_in_environment(experiment, algorithm)
    return MethodResult(algorithm.policy, algorithm.reward, {"environment_steps": steps})
