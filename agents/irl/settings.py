"""Settings and training statistics of `DiffusionIRL`.

`DiffusionIRLSettings`  penalties, input perturbation and moving average of the reward
`DiffusionIRLStats`     training statistics of one update
"""

from dataclasses import dataclass, field
from math import inf
from typing import Any

from tianshou.algorithm.algorithm_base import TrainingStats

from rlpriors.settings import check_fields

__all__ = ["DiffusionIRLSettings", "DiffusionIRLStats"]


@dataclass(frozen=True)
class DiffusionIRLSettings:
    """Settings of `DiffusionIRL` that do not depend on the objective.

    Raises:
        ValueError: a field is out of its bounds.
    """

    gradient_penalty: float = 0.001
    """Weight of |dJ/dx|^2 on windows between demonstrations and samples.  It keeps the reward smooth enough
    for guidance: with 0 the reward may grow without bound, a large weight makes it flat."""

    temporal_variation_exponent: float = 1.0
    """Exponent e of the gradient penalty's entry weights v^e, where v is the temporal variation of an entry
    (`losses.temporal_variation`): 1 penalizes fast-changing entries more, 0 all entries equally.  The weights
    of observation entries have mean 1, so that the total penalty does not depend on the slowest entry.
    Velocities and actions separate demonstrations from samples as well as positions do.  Without the
    weights the reward depends on them, and it generalizes poorly beyond the prior."""

    magnitude_penalty: float = 1e-4
    """Weight of r^2 on windows sampled uniformly over the normalized range."""

    slowness_penalty: float = 0.0
    """Weight of (r_{t+1} - r_t)^2 along windows of the prior's data, or of the samples without `prior_data`.
    It is an alternative to `temporal_variation_exponent`, for rewards whose gradient carries little
    information."""

    progress_weight: float | None = None
    """Weight of the progress loss: along a demonstration, the reward rises by the length of the way
    (`progress`).  It teaches ways of several windows, and misleads where movements repeat, as in gaits.  By
    default it is 5 if a ranking that is fitted to half of the demonstrations orders at least two thirds of
    the pairs of time steps of the others (`order_accuracy`), else 0.  It is also 0 for a single
    demonstration, for layouts with absorbing states, where the zero of the reward counts, for objectives that
    differentiate the reward instead of scoring windows with it ("relative" and "sampler_backprop"), and for a
    `TrajectoryValue`."""

    path_penalty: float = 20.0
    """Weight of the path penalty: along the prior's data, the reward changes by at most the length of the way
    (`progress`).  It makes the reward of states that no demonstration visits follow their distance to the
    demonstrated ones, around walls.  It is used with the progress loss only, and needs `prior_data`."""

    rest_penalty: float = 0.1
    """Weight of the squared slope of the reward where demonstrations rest (`progress`).  It puts the highest
    reward at the place of rest instead of next to it.  It is used with the progress loss only."""

    movement_fraction: float = 0.2
    """Fraction of the demonstrated windows that is drawn in proportion to how far a window moves
    (`progress.movement_weights`), in [0, 1]; the others are drawn uniformly.  Windows at rest put the highest
    reward at the end of demonstrations, windows that move show the way.  With 0, long rests fill most
    batches."""

    input_noise: float = 0.0
    """Standard deviation of normal noise on the reward's inputs in the objective, for demonstrations and the
    windows they are compared with, in normalized units (entries of the data lie in [-1, 1]).  It hides
    small differences.  The penalties, and every later use of the reward, read windows without noise."""

    marginal_actions: bool = False
    """Mix the actions that the reward reads in the objective over all time steps of a batch, so that actions
    cannot separate demonstrations from samples; useful for rewards that read actions."""

    ema_decay: float = 0.95
    """Decay of the reward's moving average, in [0, 1).  The averaged reward guides samples and is saved."""

    allow_variable_horizon: bool = False
    """Accept demonstrations that end by termination without a layout of absorbing states.  The sign of the
    reward is then arbitrary, and decides if an agent ends its episodes or continues."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in (
            "progress_weight",
            "path_penalty",
            "rest_penalty",
            "gradient_penalty",
            "temporal_variation_exponent",
            "magnitude_penalty",
            "slowness_penalty",
        ):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {value}.")
        if not 0 <= self.movement_fraction <= 1:
            raise ValueError(f"`movement_fraction` must be in [0, 1]. Received {self.movement_fraction}.")
        if not 0 <= self.input_noise < inf:
            raise ValueError(f"`input_noise` must be at least 0 and finite. Received {self.input_noise}.")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {self.ema_decay}.")


@dataclass(kw_only=True)
class DiffusionIRLStats(TrainingStats):
    """Training statistics of one update; rewards are means per time step."""

    loss: float
    """Total loss: objective and weighted penalties."""
    demonstration_reward: float
    """Mean reward of the demonstrations."""
    sample_reward: float
    """Mean reward of the samples that the demonstrations were compared with."""
    reward_gap: float
    """Mean reward of demonstrations minus samples: near 0 if guided samples are equally good."""
    progress_loss: float
    """Progress loss before its weight; 0 if the weight is 0."""
    gradient_penalty: float
    """Gradient penalty before its weight; 0 if the weight is 0, because it is not computed then."""
    objective: dict[str, float] = field(default_factory=dict)
    """Statistics of the objective, by name."""

    def get_loss_stats_dict(self) -> dict[str, float]:
        """Return every number to log by its name, including those of the objective."""
        numbers: dict[str, Any] = super().get_loss_stats_dict()
        objective = numbers.pop("objective")
        return numbers | {f"objective/{name}": number for name, number in objective.items()}
