"""Rewards of planning policies: fixed ones, and those that `DiffusionIRL` learns.

`fixed_reward`     planning with a given reward
`learned_reward`   `DiffusionIRL` with any objective, negatives and reward network
`beyond_window`    planning with a value of the rewards after the window
`backprop`         `DiffusionIRL` with a divergence that is differentiated through the sampler
`original_method`  the original recipe, for a number of seconds or for all of its updates
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.experiment import Experiment, MethodResult, train
from rlpriors.agents import (
    CosineSchedule,
    DiffuserPolicy,
    DiffusionIRL,
    DiffusionIRLSettings,
    add_terminal_value,
)
from rlpriors.agents.irl.objectives import SamplerBackpropSettings
from rlpriors.agents.irl.original_recipe import original_recipe
from rlpriors.agents.irl.other_goals import other_goals
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards import ClippedReward, EnsembleReward, ShapedReward
from rlpriors.rewards.divergences import DivergenceSettings
from rlpriors.training.offline import train_offline
from rlpriors.types import RewardFn

Negatives = Literal[
    "guided", "guided_from_data", "prior_data", "random", "early", "guided+random", "other_goals"
]
"""Windows that demonstrations are compared with: samples of the prior, data of the prior, random play, an
agent's first training, samples and random play in equal parts, or demonstrations with the goals of other
episodes and data of the prior in equal parts."""

__all__ = [
    "backprop",
    "beyond_window",
    "ensemble",
    "fixed_reward",
    "learned_reward",
    "original_method",
    "shaped",
]


def fixed_reward(make: Callable[[Experiment], RewardFn | None]) -> Callable[[Experiment], MethodResult]:
    """Return a method that plans with a reward that is not learned."""

    def learn(experiment: Experiment) -> MethodResult:
        policy, reward = experiment.planner(trained=experiment.environment.plans), make(experiment)
        policy.reward = reward
        return MethodResult(policy, reward)

    return learn


def learned_reward(
    objective: object = "contrastive",
    *,
    task_obs_only: bool = False,
    through_sampler: bool = False,
    reference: Negatives | None = None,
    make: Callable[[Experiment], Any] | None = None,
    warm_start: tuple[tuple[object, float], ...] = (),
    settings: DiffusionIRLSettings | None = None,
    clip: bool = False,
    **inputs: Any,
) -> Callable[[Experiment], MethodResult]:
    """Return a method that learns a reward by `DiffusionIRL`.

    With `task_obs_only` the reward reads only the entries of the observation that the task depends on.
    `through_sampler` selects the number of updates for objectives that differentiate the sampler.
    `reference` names what demonstrations are compared with; None is the library's default.  With `clip` the
    reward reads observations within the range of the demonstrations and of the further data.  The knobs
    "updates" (a factor on their number), "gradient_penalty", "progress_weight",
    "temporal_variation_exponent", "input_noise" and "inputs" replace the defaults.
    """

    def learn(experiment: Experiment) -> MethodResult:
        environment = experiment.environment
        samples = through_sampler or (reference or "").startswith("guided")
        policy = experiment.planner(trained=environment.plans or samples)
        budget, knobs = environment.budget, experiment.knobs
        updates = budget.backprop_updates if through_sampler else budget.reward_updates
        updates = max(1, round(updates * knobs.get("updates", 1.0)))
        index = environment.obs_index if task_obs_only else None
        chosen = DiffusionIRLSettings() if settings is None else settings
        names = ("gradient_penalty", "progress_weight", "temporal_variation_exponent", "input_noise")
        chosen = replace(chosen, **{name: knobs[name] for name in names if name in knobs})
        read = {**inputs, **({"inputs": tuple(knobs["inputs"])} if "inputs" in knobs else {})}
        negatives, reference_steps = _negatives(experiment, reference)
        assert not clip or isinstance(negatives, EpisodeStore)
        algorithm = DiffusionIRL(
            policy=policy,
            reward=make(experiment) if make is not None else experiment.reward(obs_index=index, **read),
            optim=AdamOptimizerFactory(lr=1e-2).with_lr_scheduler_factory(CosineSchedule(updates, final=0.1)),
            objective=objective,
            prior_data=experiment.data,
            reference=negatives,
            warm_start=[(stage, round(fraction * updates)) for stage, fraction in warm_start],
            settings=chosen,
            seed=experiment.seed,
        )
        seconds = train(algorithm, experiment.demonstrations, updates, 64)
        # The shaping term helps training and is not part of the learned reward (arXiv 1710.11248).
        reward = getattr(algorithm.reward, "unshaped", algorithm.reward)
        if clip:
            reward = ClippedReward.fit(reward, [experiment.demonstrations, negatives])
        metrics = {"update_ms": 1000 * seconds}
        if reference_steps:
            metrics["reference_steps"] = reference_steps
        return MethodResult(policy, reward, metrics)

    return learn


def beyond_window(learn: Callable[[Experiment], MethodResult]) -> Callable[[Experiment], MethodResult]:
    """Return a method that plans with the reward of another method and a value beyond the window."""

    def learn_value(experiment: Experiment) -> MethodResult:
        result = learn(experiment)
        assert isinstance(result.policy, DiffuserPolicy)
        start = time.monotonic()
        add_terminal_value(result.policy, experiment.data, experiment.demonstrations, progress=False)
        return replace(result, metrics={**result.metrics, "value_seconds": time.monotonic() - start})

    return learn_value


def _negatives(experiment: Experiment, kind: Negatives | None) -> tuple[Any, float]:
    """Return the argument `reference` of `DiffusionIRL`, and the number of steps of further data in it."""
    if kind is None or kind in ("guided", "guided_from_data", "prior_data"):
        return kind, 0.0
    if kind == "guided+random":
        random = experiment.reference("random")
        return [("guided", 1.0), (random, 1.0)], float(random.n_steps)
    if kind == "other_goals":
        missed = other_goals(experiment.demonstrations, experiment.data, seed=experiment.seed)
        return [(missed, 1.0), ("prior_data", 1.0)], 0.0
    store = experiment.reference("early" if kind == "early" else "random")
    return store, float(store.n_steps)


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


def original_method(complete: bool = False) -> Callable[[Experiment], MethodResult]:
    """Return a method that trains the original recipe.

    It runs for the number of seconds in the budget.  If `complete`, it runs for the recipe's own number of
    updates, and can be interrupted and resumed.
    """

    def learn(experiment: Experiment) -> MethodResult:
        policy, layout = experiment.planner(), experiment.layout
        budget = experiment.environment.budget
        recipe = original_recipe(
            experiment.environment.recipe_name, layout.horizon, layout.dim, stride=layout.stride
        )
        algorithm = recipe.create_algorithm(policy, experiment.seed)
        if complete:
            updates = min(recipe.n_updates, 11 * budget.reward_updates)  # all, except in quick runs
            start = time.monotonic()
            train_offline(
                algorithm,
                to_buffer(experiment.demonstrations),
                folder=experiment.folder,
                name="original-recipe",
                n_updates=updates,
                batch_size=recipe.batch_size,
                epoch_updates=min(updates, 250),
                resume=True,
            )
            per_update = (time.monotonic() - start) / updates
        else:
            per_update = train(algorithm, experiment.demonstrations, 2, recipe.batch_size)
            updates = max(1, int(budget.original_recipe_seconds / per_update))
            per_update = train(algorithm, experiment.demonstrations, updates, recipe.batch_size)
        return MethodResult(policy, None, {"update_ms": 1000 * per_update, "updates": float(updates)})

    return learn
