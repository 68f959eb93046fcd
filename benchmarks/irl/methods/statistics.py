"""Rewards without training: differences of means, nearest demonstrated steps, and support estimation.

`mean_difference`  linear reward from the means of demonstrations and of other data
`nearest_expert`   distance to the nearest demonstrated step
`support`          random expert distillation
`exact_max_ent`    exact maximum-causal-entropy IRL, in the grid worlds
"""

from collections.abc import Callable

import numpy as np

from benchmarks.irl.environments.gridworld import CellReward, GridWorldEnvironment
from benchmarks.irl.experiment import Experiment, MethodResult, Reference
from rlpriors.evaluation.rewards.max_ent_irl import max_ent_irl, state_visits
from rlpriors.rewards import ClippedReward, MeanDifferenceReward, NearestExpertReward, SupportReward

__all__ = ["exact_max_ent", "mean_difference", "nearest_expert", "support"]


def mean_difference(reference: Reference) -> Callable[[Experiment], MethodResult]:
    """Return a method that compares the means of demonstrations and of other data, within their range."""

    def learn(experiment: Experiment) -> MethodResult:
        inputs = tuple(experiment.knobs.get("inputs", ("obs",)))
        kind = experiment.knobs.get("reference", reference)
        other = experiment.reference(kind)
        reward = MeanDifferenceReward.fit(
            experiment.demonstrations, other, inputs=inputs, n_actions=experiment.n_actions, device="cpu"
        )
        clipped = ClippedReward.fit(reward, [experiment.demonstrations, other])
        return MethodResult(None, clipped, {"reference_steps": float(other.n_steps)})

    return learn


def nearest_expert(experiment: Experiment) -> MethodResult:
    """Return minus the distance to the nearest demonstrated step, in units of the prior's data."""
    knobs = experiment.knobs
    reward = NearestExpertReward.fit(
        experiment.demonstrations,
        experiment.data,
        inputs=tuple(knobs.get("inputs", ("obs",))),
        form=knobs.get("form", "distance"),
        n_actions=experiment.n_actions,
        max_rows=1000,
        seed=experiment.seed,
        device="cpu",
    )
    return MethodResult(None, reward)


def support(experiment: Experiment) -> MethodResult:
    """Train a network to predict a random one on the demonstrations."""
    knobs = experiment.knobs
    reward = SupportReward.fit(
        experiment.demonstrations,
        experiment.data,
        inputs=tuple(knobs.get("inputs", ("obs", "act"))),
        n_updates=min(knobs.get("n_updates", 1000), experiment.environment.budget.cloning_updates),
        n_actions=experiment.n_actions,
        seed=experiment.seed,
        device="cpu",
    )
    return MethodResult(None, reward)


def exact_max_ent(experiment: Experiment) -> MethodResult:
    """Return the exact maximum-causal-entropy reward of the demonstrations, which knows the dynamics.

    Raises:
        ValueError: the environment is no grid world.
    """
    environment = experiment.environment
    if not isinstance(environment, GridWorldEnvironment):
        raise ValueError(f"`--methods` max-ent needs a grid world. Received {environment.name!r}.")
    demonstrations = experiment.demonstrations
    states = environment.states_of(demonstrations.obs).reshape(demonstrations.n_episodes, -1)
    mdp, knobs = environment.mdp, experiment.knobs
    result = max_ent_irl(
        mdp,
        state_visits(states, mdp.transition.shape[0], mdp.gamma),
        horizon=environment.grid.max_episode_steps,
        temperature=knobs.get("temperature", 0.1),
        l2=knobs.get("l2", 1e-3),
        tolerance=1e-4,
    )
    cell_rewards = np.asarray(result.reward[0, 0])
    return MethodResult(None, CellReward(environment.state_obs, cell_rewards, of_next=True, sharpness=50.0))
