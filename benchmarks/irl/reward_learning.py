"""Rewards of planning policies: fixed ones, and those that `DiffusionIRL` learns.

`fixed_reward`     planning with a given reward
`learned_reward`   `DiffusionIRL` with any objective and reward network
`backprop`         `DiffusionIRL` with a divergence that is differentiated through the sampler
`original_method`  the original recipe for a number of seconds
"""

from collections.abc import Callable
from typing import Any

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.experiment import Experiment, MethodResult, train
from rlpriors.agents import CosineSchedule, DiffusionIRL, DiffusionIRLSettings
from rlpriors.agents.irl.objectives import SamplerBackpropSettings
from rlpriors.agents.irl.original_recipe import original_recipe
from rlpriors.rewards import EnsembleReward, ShapedReward
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.types import RewardFn

__all__ = ["backprop", "ensemble", "fixed_reward", "learned_reward", "original_method", "shaped"]


def fixed_reward(make: Callable[[Experiment], RewardFn | None]) -> Callable[[Experiment], MethodResult]:
    """Return a method that plans with a reward that is not learned."""

    def learn(experiment: Experiment) -> MethodResult:
        policy, reward = experiment.planner(), make(experiment)
        policy.reward = reward
        return MethodResult(policy, reward)

    return learn


def learned_reward(
    objective: object = "contrastive",
    *,
    task_obs_only: bool = False,
    through_sampler: bool = False,
    make: Callable[[Experiment], Any] | None = None,
    warm_start: tuple[tuple[object, float], ...] = (),
    settings: DiffusionIRLSettings | None = None,
    **inputs: Any,
) -> Callable[[Experiment], MethodResult]:
    """Return a method that learns a reward by `DiffusionIRL`.

    With `task_obs_only` the reward reads only the entries of the observation that the task depends on.
    `through_sampler` selects the number of updates for objectives that differentiate the sampler.
    """

    def learn(experiment: Experiment) -> MethodResult:
        environment, policy = experiment.environment, experiment.planner()
        budget = environment.budget
        updates = budget.backprop_updates if through_sampler else budget.reward_updates
        index = environment.obs_index if task_obs_only else None
        algorithm = DiffusionIRL(
            policy=policy,
            reward=make(experiment) if make is not None else experiment.reward(obs_index=index, **inputs),
            optim=AdamOptimizerFactory(lr=5e-3).with_lr_scheduler_factory(CosineSchedule(updates, final=0.1)),
            objective=objective,
            prior_data=experiment.data,
            warm_start=[(stage, round(fraction * updates)) for stage, fraction in warm_start],
            settings=settings,
            max_start=environment.max_start,
            seed=experiment.seed,
        )
        seconds = train(algorithm, experiment.demonstrations, updates, 64)
        # The shaping term helps training and is not part of the learned reward (arXiv 1710.11248).
        reward = getattr(algorithm.reward, "unshaped", algorithm.reward)
        return MethodResult(policy, reward, {"update_ms": 1000 * seconds})

    return learn


def backprop(divergence: str) -> Callable[[Experiment], MethodResult]:
    """Return a method that differentiates a divergence through the sampler."""
    objective = SamplerBackpropSettings(divergence=DivergenceSettings(divergence), stride=2)
    return learned_reward(objective, task_obs_only=True, through_sampler=True)


def ensemble(experiment: Experiment) -> EnsembleReward:
    """Return an untrained ensemble of three rewards."""
    return EnsembleReward([experiment.reward(seed) for seed in range(3)])


def shaped(experiment: Experiment) -> ShapedReward:
    """Return an untrained reward with potential shaping."""
    torch.manual_seed(experiment.seed)
    return ShapedReward(experiment.reward(), gamma=0.99)


def original_method(experiment: Experiment) -> MethodResult:
    """Train the original recipe for the number of seconds in the budget."""
    policy, layout = experiment.planner(), experiment.layout
    budget = experiment.environment.budget
    recipe = original_recipe(
        experiment.environment.recipe_name, layout.horizon, layout.dim, stride=layout.stride
    )
    algorithm = recipe.create_algorithm(policy, experiment.seed)
    per_update = train(algorithm, experiment.demonstrations, 2, recipe.batch_size)
    updates = max(1, int(budget.original_recipe_seconds / per_update))
    per_update = train(algorithm, experiment.demonstrations, updates, recipe.batch_size)
    return MethodResult(policy, None, {"update_ms": 1000 * per_update, "updates": float(updates)})
