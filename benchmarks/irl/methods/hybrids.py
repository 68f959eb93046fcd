"""Rewards that `DiffusionIRL` learns with an agent in the loop.

`hybrid`        objective "contrastive", against the agent's rollouts alone
`hybrid_ratio`  density ratio of short windows, against the rollouts and the prior's data
"""

from typing import Any

from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.irl.experiment import Experiment, MethodResult
from benchmarks.irl.methods.baselines import train_in_environment
from rlpriors.agents import DiffusionIRL, DiffusionIRLSettings, HybridIRL, HybridSettings

__all__ = ["hybrid", "hybrid_ratio"]


def hybrid(experiment: Experiment) -> MethodResult:
    """Learn a reward whose negatives are the rollouts of an agent that is trained on it at the same time."""
    knobs = experiment.knobs
    irl = DiffusionIRL(
        policy=experiment.planner(trained=experiment.environment.plans),
        reward=experiment.reward(),
        optim=AdamOptimizerFactory(lr=knobs.get("lr", 1e-3)),
        objective=knobs.get("objective", "contrastive"),
        prior_data=experiment.data,
        reference="rollouts",
        seed=experiment.seed,
    )
    return _train(experiment, irl, HybridSettings(update_interval=100, n_reward_updates=10))


def hybrid_ratio(experiment: Experiment) -> MethodResult:
    """Learn a density ratio of short windows against an agent's rollouts and the prior's data.

    The reward reads the observation and the action.  Its moving average is slow, so that it depends on
    rollouts of the whole training.  The knobs "horizon" (length of a window), "inputs", "input_noise"
    and "data_weight" (weight of the prior's data; that of the rollouts is 1) replace the defaults.
    """
    knobs = experiment.knobs
    weight = knobs.get("data_weight", 0.5)
    reference: list[Any] = [("rollouts", 1.0), *([("prior_data", weight)] if weight else [])]
    irl = DiffusionIRL(
        policy=experiment.planner(trained=False, horizon=knobs.get("horizon", 4)),
        reward=experiment.reward(inputs=tuple(knobs.get("inputs", ("obs", "act")))),
        optim=AdamOptimizerFactory(lr=1e-3),
        objective="density_ratio",
        prior_data=experiment.data,
        reference=reference,
        settings=DiffusionIRLSettings(
            progress_weight=0.0,
            temporal_variation_exponent=0.0,
            input_noise=knobs.get("input_noise", 0.03),
            ema_decay=0.999,
        ),
        seed=experiment.seed,
    )
    return _train(experiment, irl, HybridSettings(update_interval=2, n_reward_updates=1))


def _train(experiment: Experiment, irl: DiffusionIRL, settings: HybridSettings) -> MethodResult:
    algorithm = HybridIRL(
        experiment.agent(), irl=irl, demonstrations=experiment.demonstrations, settings=settings
    )
    steps = train_in_environment(experiment, algorithm)
    return MethodResult(algorithm.policy, irl.reward, {"environment_steps": steps})
