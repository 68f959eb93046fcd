"""Evaluation functions under test.

`evaluation_targets`  a target for each function of `rlpriors.evaluation`
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.robustness.fuzz_inputs import (
    RNG,
    Target,
    frames,
    linear,
    make_mdp,
    make_store,
    make_transitions,
    normal,
    quadratic,
)
from rlpriors import evaluation

__all__ = ["evaluation_targets"]

SHUFFLED = RNG.permutation(60)
PARTS = {"train": SHUFFLED[:30], "val": SHUFFLED[30:45], "test": SHUFFLED[45:]}


def evaluation_targets() -> list[Target]:
    """Return the targets."""
    e = evaluation

    def pair(a: str, b: str, *shape: int) -> Callable[[], dict[str, Any]]:
        return lambda: {a: normal(*shape), b: normal(*shape)}

    def interval(a: str, b: str | None = None) -> Callable[[], dict[str, Any]]:
        return lambda: {
            **({a: normal(5, 2)} if b is None else {a: normal(5, 2), b: normal(5, 2)}),
            "rng": np.random.default_rng(0),
            "confidence": 0.9,
            "n_resamples": 20,
        }

    def epic() -> dict[str, Any]:
        samples = {"canonical_obs": torch.randn(8, 3), "canonical_act": torch.randn(8, 1)}
        fixed = {"transitions": make_transitions(), "gamma": 0.9, "batch_size": 64, **samples}
        return {"reward_a": quadratic, "reward_b": linear, **fixed}

    def canonical() -> dict[str, Any]:
        arguments = epic()
        del arguments["reward_b"]
        return {"reward": arguments.pop("reward_a"), **arguments}

    def table(**more: Any) -> dict[str, Any]:
        return {"reward_a": normal(4, 2, 4), "reward_b": normal(4, 2, 4), **more}

    def task() -> dict[str, Any]:
        labels = {"x": np.arange(80) % 4, "y": np.arange(80) % 3}
        more = {"seed": 0, "min_frames": 2, "min_entropy": 0.1, "categories": {"both": ("x", "y")}}
        return {"labels": labels, "lengths": np.full(8, 10), "keys": np.arange(80), **more}

    def probe() -> dict[str, Any]:
        settings = e.ProbeSettings(epochs=1)
        fixed = {"protocol": "standardized", "settings": settings, "seed": 0, "device": "cpu"}
        return {"features": normal(80, 4), "task": e.make_task(**task()), **fixed}

    def dard() -> dict[str, Any]:
        arguments = {name: value for name, value in epic().items() if name != "canonical_obs"}
        return {**arguments, "sample_next": lambda obs, act: obs + act}

    def behavior() -> dict[str, Any]:
        arrays = {"act": RNG.integers(0, 3, 80), "rew": normal(80), "terminated": np.zeros(80, bool)}
        return {"arrays": arrays, "lengths": np.full(8, 10)}

    masks = RNG.integers(0, 3, (4, 8, 8)).astype(np.uint8)
    pairs = [("learned", "true", (e.preference_accuracy, e.return_agreement))]
    pairs += [("a", "b", (e.pearson, e.spearman, e.pearson_distance))]
    targets = {f: pair(a, b, 30) for a, b, functions in pairs for f in functions}
    targets |= {e.interquartile_mean: lambda: {"scores": normal(8)}, e.bootstrap_interval: interval("scores")}
    targets |= {
        f: interval("scores_a", "scores_b") for f in (e.paired_difference, e.probability_of_improvement)
    }
    targets |= {
        e.frechet_distance: pair("a", "b", 20, 3),
        e.domain_auc: lambda: {**pair("a", "b", 20, 3)(), "seed": 0},
        e.downsample: lambda: {"frames": frames(3), "size": (12, 10)},
        e.rankme: lambda: {"features": normal(20, 4), "eps": 1e-7},
        e.feature_std: lambda: {"features": normal(20, 4)},
        e.knn_accuracy: lambda: {
            **{"features": normal(60, 3), "labels": RNG.integers(0, 3, 60), "k": 3},
            **{"train": SHUFFLED[:45], "test": SHUFFLED[45:]},  # all rows: NaN in others is not read
        },
        e.ridge_r2: lambda: {
            "features": normal(60, 3),
            "targets": normal(60, 2),
            "alphas": (0.1, 1.0),
            **PARTS,
        },
        e.segmentation_scores: lambda: {
            "predicted": masks.copy(),
            "truth": masks[::-1].copy(),
            "n_classes": 3,
        },
        e.exact_epic: lambda: table(gamma=0.9, state_weights=np.ones(4) / 4, action_weights=np.ones(2) / 2),
        e.exact_dard: lambda: table(mdp=make_mdp(), action_weights=np.ones(2) / 2),
        e.exact_starc: lambda: table(mdp=make_mdp(), canonical="value", metric="norm"),
        e.normalized_return: lambda: {"mdp": make_mdp(), "policy": np.full((4, 2), 0.5)},
        e.epic_distance: epic,
        e.dard_distance: dard,
        e.canonical_reward: canonical,
        e.episode_returns: lambda: {
            **{"reward": quadratic, "store": make_store(), "indices": [0, 2], "gamma": 0.9, "per_step": False}
        },
        e.reward_table: lambda: {
            "reward": quadratic,
            "obs": normal(4, 3),
            "act": normal(2, 1),
            "batch_size": 8,
        },
        e.make_task: task,
        e.majority_baseline: lambda: {"task": e.make_task(**task())},
        e.probe: probe,
        e.behavior_labels: behavior,
        e.make_trajectory_sets: lambda: {
            **{
                "base": make_store(6),
                "expert": make_store(6),
                "n": 4,
                "seed": 0,
                "expert_share": 0.5,
                "noise": 0.1,
            }
        },
    }
    # Without frames it rightly returns nothing, and it reads frames of any type.
    keys = Target("evaluation", e.frame_keys, lambda: {"frames": frames(4)}, len, ("fractions",))
    # Constant targets and classes that do not occur give NaN, as documented.
    use = {e.ridge_r2: np.nan_to_num, e.segmentation_scores: lambda scores: scores[:2]}
    empty = (e.downsample,)  # no features of no frames
    rest = (
        Target(
            "evaluation",
            function,
            arguments,
            use.get(function, lambda result: result),
            may_be_empty=function in empty,
        )
        for function, arguments in targets.items()
    )
    return [keys, *rest]
