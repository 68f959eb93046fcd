"""Settings of the methods that `benchmarks.irl.search` chooses on seeds 100 to 102.

`KNOBS`         trials of each method; all have the same number of them
`chosen_knobs`  chosen trial of a method in a world
`N_TRIALS`      number of trials of each method
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.tables import read_csv

__all__ = ["CHOICES", "KNOBS", "N_TRIALS", "chosen_knobs"]

CHOICES = Path(__file__).parents[2] / "results" / "irl_choices.csv"
"""World, method, chosen knobs, metric of the choice, and its mean over the development seeds."""

N_TRIALS = 4
Knobs = dict[str, Any]
_STATE: list[str] = ["obs"]
_BOTH: list[str] = ["obs", "act"]

_LEARNED: tuple[Knobs, ...] = (
    {},
    {"progress_weight": 0.0},
    {"progress_weight": 0.0, "temporal_variation_exponent": 0.0, "updates": 0.25},
    {"temporal_variation_exponent": 0.0, "updates": 0.25},
)

_NOISE: tuple[Knobs, ...] = (
    {},
    {"input_noise": 0.1},
    {"input_noise": 1.0},
    {"input_noise": 1.0, "updates": 0.5},
)

KNOBS: dict[str, tuple[Knobs, ...]] = {
    "mean-difference": (
        {},
        {"inputs": _BOTH},
        {"reference": "data"},
        {"reference": "data", "inputs": _BOTH},
    ),
    "nearest-expert": (
        {},
        {"inputs": _BOTH},
        {"form": "exp"},
        {"form": "exp", "inputs": _BOTH},
    ),
    "support": (
        {},
        {"inputs": _STATE},
        {"n_updates": 4000},
        {"n_updates": 4000, "inputs": _STATE},
    ),
    "gail": (
        {},
        {"lr": 1e-3},
        {"gradient_penalty": 0.1},
        {"lr": 1e-3, "gradient_penalty": 0.1},
    ),
    "drail": (
        {},
        {"lr": 1e-3},
        {"gradient_penalty": 1.0},
        {"lr": 1e-3, "gradient_penalty": 0.1},
    ),
    "airl": (
        {},
        {"lr": 3e-4},
        {"temperature": 0.1},
        {"temperature": 0.1, "lr": 3e-4},
    ),
    "sqil": (
        {},
        {"lr": 3e-4},
        {"lr": 1e-4},
        {"lr": 3e-3},
    ),
    "iq-learn": (
        {},
        {"target_values": True},
        {"regularization": 5.0},
        {"regularization": 5.0, "target_values": True},
    ),
    "contrastive-full-obs": _LEARNED,
    "contrastive-data": _LEARNED,
    "contrastive-random": _LEARNED,
    "contrastive-early": _LEARNED,
    "ratio-data": _LEARNED,
    "ratio-random": _LEARNED,
    "ratio-early": _LEARNED,
    "ratio-random-obs-act": _LEARNED,
    "ratio-random-noise": _NOISE,
    "ratio-random-noise-obs-act": _NOISE,
    "hybrid": (
        {},
        {"lr": 3e-3},
        {"objective": "density_ratio"},
        {"objective": "density_ratio", "lr": 3e-3},
    ),
    "hybrid-ratio": (
        {},
        {"input_noise": 0.1},
        {"input_noise": 0.1, "horizon": 16},
        {"input_noise": 0.1, "inputs": _STATE},
    ),
    "bc": (
        {},
        {"lr": 3e-4},
        {"length": 0.5},
        {"length": 2.0},
    ),
}
"""Trials of each method, as changes of its defaults: the first trial changes nothing."""


def chosen_knobs(world: str, method: str, choices: Path = CHOICES) -> Knobs:
    """Return the knobs that a search chose, or no change of the defaults where none was made."""
    knobs: Mapping[tuple[str, str], str] = _read(choices)
    return dict(json.loads(knobs.get((world, method), "{}")))


@cache
def _read(choices: Path) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): row[2] for row in read_csv(choices)}
