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

_WEIGHTS = ("gradient_penalty", "temporal_variation_exponent", "magnitude_penalty", "slowness_penalty")


@dataclass(frozen=True)
class DiffusionIRLSettings:
    """Settings of `DiffusionIRL` that do not depend on the objective.

    Raises:
        ValueError: a field is out of its bounds.
    """

    gradient_penalty: float = 0.002
    """Weight of |dJ/dx|^2 on windows between demonstrations and samples.  It keeps the reward smooth enough
    for guidance: with 0 the reward may grow without bound, a large weight makes it flat."""

    temporal_variation_exponent: float = 1.0
    """Exponent e of the gradient penalty's entry weights v^e, where v is the temporal variation of an entry
    (`losses.temporal_variation`): 1 penalizes fast-changing entries more, 0 all entries equally.
    Velocities and actions separate demonstrations from samples as well as positions do.  Without the
    weights the reward depends on them, and it generalizes poorly beyond the prior."""

    magnitude_penalty: float = 1e-4
    """Weight of r^2 on windows sampled uniformly over the normalized range."""

    slowness_penalty: float = 0.0
    """Weight of (r_{t+1} - r_t)^2 along windows of the prior's data, or of the samples without `prior_data`.
    It is an alternative to `temporal_variation_exponent`, for rewards whose gradient carries little
    information."""

    input_noise: float = 0.0
    """Standard deviation of normal noise on the reward's inputs in the objective, for demonstrations and the
    windows they are compared with, in normalized units (entries of the data lie in [-1, 1]).  It hides
    small differences.  The penalties, and every later use of the reward, read windows without noise."""

    marginal_actions: bool = False
    """Mix the actions that the reward reads in the objective over all time steps of a batch, so that actions
    cannot separate demonstrations from samples; useful for rewards that read actions."""

    ema_decay: float = 0.95
    """Decay of the reward's moving average, in [0, 1).  The averaged reward guides samples and is saved."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in (
            "gradient_penalty",
            "temporal_variation_exponent",
            "magnitude_penalty",
            "slowness_penalty",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
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
    gradient_penalty: float
    """Gradient penalty before its weight; 0 if the weight is 0, because it is not computed then."""
    objective: dict[str, float] = field(default_factory=dict)
    """Statistics of the objective, by name."""

    def get_loss_stats_dict(self) -> dict[str, float]:
        """Return every number to log by its name, including those of the objective."""
        numbers: dict[str, Any] = super().get_loss_stats_dict()
        objective = numbers.pop("objective")
        return numbers | {f"objective/{name}": number for name, number in objective.items()}
